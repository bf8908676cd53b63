"""The fetcher: a process that downloads one file from where a person says, and is ended when it takes too long."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from urllib.parse import urljoin

import httpcore
import httpx

from api_schemas.errors import InvalidRequest
from api_schemas.sources import POINTER, Location, locate
from worker.messages import Fetched, Fetching, Progress
from worker.network import PublicNetwork

MOST_REDIRECTS = 5
_SILENCE_SECONDS = 30.0
"""How long a server may say nothing."""
_REDIRECTS = (301, 302, 303, 307, 308)
_TELL_EVERY_BYTES = 1 << 20


def fetch(line: Connection, internet: Internet | None = None) -> None:
    """Wait for what to fetch; says Progress now and then, at last Fetched or the Fault that it met."""
    fetching: Fetching = line.recv()
    try:
        download(fetching, internet or Internet.public(), lambda count: line.send(Progress(count)))
    except InvalidRequest as error:
        line.send(error.faults[0])
        return
    line.send(Fetched())


@dataclass(frozen=True)
class Internet:
    """What connects to hosts, and whom it believes that they are who they say."""

    network: httpcore.NetworkBackend
    authorities: ssl.SSLContext

    @classmethod
    def public(cls) -> Internet:
        """Public addresses, and the authorities that browsers trust or `SSL_CERT_FILE` names."""
        return cls(PublicNetwork(), httpx.create_ssl_context())


def download(fetching: Fetching, internet: Internet, tell: Callable[[int], None]) -> int:
    """Write what stands at a URL into a file, block by block, following at most five redirects.

    Every redirect is checked as the URL was. No proxy, cookie or password of the environment takes part. The bytes are
    stored as they are sent.

    Args:
        fetching: from where, and where to.
        internet: what to connect with.
        tell: hears now and then how many bytes have come.

    Returns:
        How many bytes there are.

    Raises:
        InvalidRequest: with why there is no such file, or it may not be fetched.
    """
    url = fetching.url
    for _ in range(MOST_REDIRECTS + 1):
        location = locate(url, fetching.allowed)
        # A pool for each hop: a connection that was made for one name serves no other.
        with httpcore.ConnectionPool(internet.authorities, network_backend=internet.network) as pool:
            found = _visit(pool, location, fetching, tell)
        if isinstance(found, int):
            return found
        url = urljoin(url, found)
    raise InvalidRequest.at(POINTER, "too_many_redirects", f"more than {MOST_REDIRECTS} redirects; write the last URL")


def _visit(
    pool: httpcore.ConnectionPool, location: Location, fetching: Fetching, tell: Callable[[int], None]
) -> int | str:
    """The number of bytes that were written, or where else to look."""
    url = httpcore.URL(scheme=location.scheme, host=location.host, port=location.port, target=location.target)
    headers = [
        ("Host", location.authority),
        ("User-Agent", "anneal"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
    ]
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), _SILENCE_SECONDS)
    try:
        with pool.stream("GET", url, headers=headers, extensions={"timeout": timeout}) as response:
            if response.status in _REDIRECTS:
                return _header(response, b"location")
            if response.status != 200:
                raise _refused("not_found", location, f"answers with status {response.status}")
            return _write(response, location, fetching, tell)
    except httpcore.TimeoutException as error:
        raise _refused("timeout", location, f"said nothing for {_SILENCE_SECONDS:g} s") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise _refused("unreachable", location, f"cannot be read from: {error}") from error


def _write(response: httpcore.Response, location: Location, fetching: Fetching, tell: Callable[[int], None]) -> int:
    announced = _header(response, b"content-length")
    if announced.isdecimal():
        _check_size(int(announced), fetching.most_bytes)
    size = told = 0
    with fetching.path.open("wb") as file:
        for block in response.iter_stream():
            size += len(block)
            _check_size(size, fetching.most_bytes)
            file.write(block)
            if size - told >= _TELL_EVERY_BYTES:
                tell(told := size)
    if size == 0:
        raise _refused("empty_file", location, "has an empty file there")
    return size


def _check_size(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        message = f"the file has more than {most_bytes:,} bytes; fetch a part of it"
        raise InvalidRequest.at(POINTER, "too_large", message)


def _header(response: httpcore.Response, name: bytes) -> str:
    """A header's value, or nothing."""
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


def _refused(code: str, location: Location, what: str) -> InvalidRequest:
    return InvalidRequest.at(POINTER, code, f"{location.authority} {what}; look at the URL, or upload the file")

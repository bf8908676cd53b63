"""Where a dataset may be fetched from."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, unquote, urlsplit

from annotated_types import MinLen
from pydantic import AfterValidator, ConfigDict, StringConstraints

from api_schemas.base import Label, Reply, Schema, printable
from api_schemas.datasets import ColumnChoices
from api_schemas.errors import InvalidRequest

POINTER = "/source/url"
_PORTS = {"https": 443, "http": 80}
_PATTERN = re.compile(r"(?:(https?)://)?(\*|(?:\*\.)?[^\s*/:?#@\[\]\\]+)(?::(\d{1,5}))?")


class UrlSource(Schema):
    """A file on another machine."""

    url: Annotated[str, StringConstraints(max_length=2000), MinLen(1), AfterValidator(printable)]
    """`https://` and a host that the operator allows."""
    filename: Label | None = None
    """What the file is called, where the URL does not end with a name that tells what it is."""


class DatasetByUrl(Schema):
    """The body of `POST /v1/datasets` for a file that a worker fetches."""

    model_config = ConfigDict(defer_build=False)  # as JobSpec's

    source: UrlSource
    """Where the file is."""
    name: Label | None = None
    """A name for people; the file's by default."""
    target: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """The column to predict."""
    columns: ColumnChoices = []
    """Corrections, as in PATCH."""

    @property
    def filename(self) -> str:
        """What the file is called, which tells what it is."""
        last = unquote(urlsplit(self.source.url).path).rpartition("/")[2]
        return self.source.filename or "".join(filter(str.isprintable, last))[-200:]


class Host(Reply):
    """What the operator allows to fetch datasets from."""

    object: Literal["host"] = "host"
    pattern: str
    """`[http://]name[:port]`; `*.example.org` stands for all names below it, `*` for all names."""


@dataclass(frozen=True)
class Location:
    """A URL taken apart once, so that what is checked and what is connected to cannot differ."""

    scheme: str
    host: str
    """Lower case, in ASCII (IDNA), without a dot at its end."""
    port: int
    target: str
    """Path and query, percent-encoded; what follows `#` is not sent."""

    @property
    def authority(self) -> str:
        """The host, with its port where that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def locate(url: str, allowed: Sequence[str]) -> Location:
    """Take a URL apart, if the operator allows to fetch from it.

    Args:
        url: what a person asks for, or where a server redirects to.
        allowed: hosts, each as a `Host` has it.

    Raises:
        InvalidRequest: it is no URL of a file, or not allowed.
    """
    if not allowed:
        message = "this gateway fetches no files; its operator allows hosts with ANNEAL_FETCH_HOSTS, or upload the file"
        raise InvalidRequest.at(POINTER, "fetching_is_off", message)
    location = _taken_apart(url)
    if not any(_allows(pattern, location) for pattern in allowed):
        asked = f"{location.scheme}://{location.authority}"
        message = f"{asked} is not among what ANNEAL_FETCH_HOSTS allows: {', '.join(allowed)}"
        raise InvalidRequest.at(POINTER, "host_not_allowed", message)
    return location


def check_hosts(allowed: Sequence[str]) -> None:
    """Make sure that `locate` can compare with each of the hosts.

    Raises:
        ValueError: with the one that no URL could have.
    """
    for pattern in allowed:
        try:
            _host(pattern)
        except ValueError as error:
            message = f"{pattern!r} is no host; write names such as data.example.org, *.example.org or *"
            raise ValueError(message) from error


def _taken_apart(url: str) -> Location:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        host = _ascii(parts.hostname or "")
    except (ValueError, KeyError) as error:
        raise _bad_url(url) from error
    if not host or "\\" in url:
        raise _bad_url(url)
    if parts.username is not None or parts.password is not None:
        message = "a URL with a user or a password is not fetched, for others would read it; upload the file"
        raise InvalidRequest.at(POINTER, "credentials_in_url", message)
    target = parts.path or "/"
    target += f"?{parts.query}" if parts.query else ""
    return Location(parts.scheme, host, port, quote(target, safe=string.punctuation))


def _ascii(host: str) -> str:
    """The name as the network knows it; an IPv6 address stays as it is.

    Raises:
        ValueError: no host has this name.
    """
    return host if ":" in host else host.encode("idna").decode().lower().rstrip(".")


def _bad_url(url: str) -> InvalidRequest:
    return InvalidRequest.at(POINTER, "bad_url", f"{url[:200]!r} is no URL of a file; write https://host/path/data.csv")


def _allows(pattern: str, location: Location) -> bool:
    scheme, name, port = _host(pattern)
    if (scheme, port) != (location.scheme, location.port):
        return False
    return name in ("*", location.host) or (name.startswith("*.") and location.host.endswith(name[1:]))


def _host(pattern: str) -> tuple[str, str, int]:
    """Scheme, name and port of what an operator allows."""
    found = _PATTERN.fullmatch(pattern.lower())
    if found is None:
        raise ValueError("a host is [http://]name[:port]")
    scheme, name, port = found.groups("")
    return scheme or "https", _ascii(name), int(port) if port else _PORTS[scheme or "https"]

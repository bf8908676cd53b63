"""The network as a stranger's URL may use it: public addresses only."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import TypeAlias

import httpcore

from api_schemas.errors import InvalidRequest
from api_schemas.sources import POINTER

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""What has been given out of IPv6 (RFC 4291)."""
_6TO4 = ipaddress.IPv6Network("2002::/16")
"""Addresses that hold one of IPv4, to which a relay would pass on what is sent (RFC 3056, given up by RFC 7526)."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, by the registries of RFC 6890, and of a single machine."""
    if not address.is_global or address.is_multicast:
        return False
    return address.version == 4 or (address in _UNICAST and address not in _6TO4)


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name, in the order in which the system prefers them.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(where[0]) for *_, where in found]


class PublicNetwork(httpcore.NetworkBackend):
    """Connects to public addresses only.

    A name is resolved here, once, and the connection goes to the very address that was looked at: a name that means
    another machine a moment later (DNS rebinding) gains nothing. TLS still verifies the name.

    Args:
        resolve: the addresses of a host and port.
        permitted: which of them may be connected to.
    """

    def __init__(
        self,
        resolve: Callable[[str, int], list[Address]] = resolve,
        permitted: Callable[[Address], bool] = is_public,
    ) -> None:
        self._resolve, self._permitted = resolve, permitted
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                return self._backend.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def _addresses(self, host: str, port: int) -> list[Address]:
        """Where to connect to; a name that has even one address that is not permitted is not trusted with the others.

        Raises:
            InvalidRequest: it has.
        """
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} was not found ({error})") from error
        if not all(map(self._permitted, addresses)):
            # Which address it is would tell a stranger about the network that the worker stands in.
            message = f"{host} is not on the public internet, and nothing else is fetched from; upload the file"
            raise InvalidRequest.at(POINTER, "not_public", message)
        return addresses

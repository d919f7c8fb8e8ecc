"""The address of a client behind proxies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class Forwarded:
    """Takes the client from `X-Forwarded-For`, and the scheme from `X-Forwarded-Proto`, if a trusted proxy sent them.

    Each proxy appends who connected to it, and what is in front of that is what a client wrote. So the client is the last entry that is
    no trusted proxy, read from the end. An entry that is no address ends the search: the client is then the proxy that reported it.

    `is_local` is for a Unix socket: what connects to it is a proxy of this machine, which is trusted.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[IPv4Network | IPv6Network], *, is_local: bool) -> None:
        self._app = app
        self._proxies = tuple(proxies)
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            peer: tuple[str, int] | None = scope.get("client")
            address = None if peer is None else _parsed(peer[0])
            if self._is_local or self._trusts(address):
                headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
                address = self._client(address, b",".join(value for name, value in headers if name == b"x-forwarded-for"))
                scope = {**scope, "client": None if address is None else (str(address), 0)}
                schemes = [value for name, value in headers if name == b"x-forwarded-proto"]
                if schemes[-1:] in ([b"http"], [b"https"]):
                    scope["scheme"] = schemes[-1].decode()
        await self._app(scope, receive, send)

    def trusts(self, peer: str) -> bool:
        """Return whether this peer is a trusted proxy."""
        return self._trusts(_parsed(peer))

    def _client(self, peer: IPv4Address | IPv6Address | None, header: bytes) -> IPv4Address | IPv6Address | None:
        nearest = peer
        for entry in reversed(header.decode("latin-1").split(",")) if header else ():
            address = _parsed(entry.strip(" \t"))
            if address is None:
                break
            nearest = address
            if not self._trusts(address):
                break
        return nearest

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in proxies for proxies in self._proxies)


def _parsed(entry: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, perhaps with a port as some proxies write it; None for anything else."""
    found = _WITH_PORT.fullmatch(entry)
    try:
        address = ip_address(entry if found is None else found[1] or found[2])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # The text of a zone is arbitrary.
        return None if address.scope_id is not None else address.ipv4_mapped or address
    return address

"""The port of the limit on rates."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

# Bits of an IPv6 address that are a client's own choice (RFC 4291, 2.5.1).
_CHOSEN: Final = 64


class RateLimit(Protocol):
    """Limits how often something happens, across all processes."""

    async def hit(self, who: str) -> float | None:
        """Count one more of `who` and return None if the limit allows it, else the seconds to wait."""
        ...


def network_of(address: str) -> str:
    """Return what a limit counts an address as: the first half of an IPv6 address, since a client has all addresses that begin with it."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or f"{IPv6Address(int(parsed) >> _CHOSEN << _CHOSEN)}/{_CHOSEN}")

"""The addresses of trusted proxies."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network


def trusted_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Parse addresses and networks, separated by commas. Raises ValueError."""
    networks: list[IPv4Network | IPv6Network] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        if entry == "*":
            raise ValueError(
                "* would believe what clients write; name the addresses or networks of the proxies, and none for a Unix socket"
            )
        try:
            network = ip_network(entry)
        except ValueError:
            raise ValueError(f"{entry!r} is no address or network, as in 192.0.2.1, 10.0.0.0/8 or fd00::/8") from None
        if network.prefixlen == 0:
            raise ValueError(f"{entry} would believe what clients write; name the addresses or networks of the proxies")
        networks.append(network)
    return tuple(networks)

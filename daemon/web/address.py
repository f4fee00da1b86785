"""Addresses: where the server listens, how it is reached, and what counts as this machine."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_Address = IPv4Address | IPv6Address


def url_for(host: str, port: int) -> str:
    """Return the address for a client on this machine of a server that listens on `host`."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told apart, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def host_of(header: str) -> str:
    """Return the name or address of a ``Host`` header, in small letters, without port and final dot."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def parse_ip(text: str) -> _Address | None:
    """Return the address that `text` is, an IPv4 one also where it is wrapped in IPv6; None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_loopback(text: str) -> bool:
    """Say whether `text` is an address of this machine's own loopback."""
    address = parse_ip(text)
    return address is not None and address.is_loopback


def is_within(text: str, networks: Iterable[str]) -> bool:
    """Say whether the address `text` is one of, or lies in one of, `networks`."""
    address = parse_ip(text)
    return address is not None and any(address in ip_network(network, strict=False) for network in networks)

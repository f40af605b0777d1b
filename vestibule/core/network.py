#!/usr/bin/env python3
"""Where a client is: what a proxy says counts only if it is trusted.

Its law: whatever a client sends, no header of its own making changes the
address that is found for it (OWASP ASVS 5.0, 4.1.3), and nothing that a
header holds is an error.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Proxies = Sequence[IPv4Network | IPv6Network]

#: The address, and the network, of a client that has none: one that came
#: by a Unix socket.
UNKNOWN_ADDRESS = "unknown"
#: Bits of an IPv6 address that a provider gives to one customer at least:
#: whoever has one address of such a network has them all.
IPV6_CUSTOMER_PREFIX_BITS = 64
#: Characters of the longest address, with brackets, zone and port.
_MAX_ADDRESS_LENGTH = 100


def client_address(
    peer: str | None, forwarded: str | None, proxies: Proxies
) -> str:
    """Return the address of the client behind the trusted `proxies`.

    `peer` is who opened the connection, `forwarded` its
    `X-Forwarded-For`: each proxy puts whom it saw at the right end, so
    it is read from there for as long as a trusted one speaks. Where that
    one says nothing of use, its own address is the best that is known.
    """
    address = _parse_address(peer or "")
    if address is None:
        return UNKNOWN_ADDRESS
    if forwarded is not None and _is_trusted(address, proxies):
        for hop in reversed(forwarded.split(",")):
            seen = _parse_address(hop)
            if seen is None:
                break
            address = seen
            if not _is_trusted(address, proxies):
                break
    return str(address)


def is_secure(peer: str | None, forwarded: str, proxies: Proxies) -> bool:
    """Tell whether a trusted proxy says that its client came by TLS.

    `forwarded` is `X-Forwarded-Proto`; of several values that of the
    nearest proxy counts, at the right end.
    """
    return is_trusted_peer(peer, proxies) and (
        forwarded.rpartition(",")[2].strip().lower() == "https"
    )


def is_trusted_peer(peer: str | None, proxies: Proxies) -> bool:
    """Tell whether who opened the connection is one of the `proxies`."""
    if not proxies:
        return False
    address = _parse_address(peer or "")
    return address is not None and _is_trusted(address, proxies)


def network_of(address: str) -> str:
    """Return the network that one client is taken to have for itself."""
    found = _parse_address(address)
    if found is None:
        return UNKNOWN_ADDRESS
    bits = 32 if found.version == 4 else IPV6_CUSTOMER_PREFIX_BITS
    return str(ip_network((found, bits), strict=False))


def _parse_address(text: str) -> Address | None:
    """Return the address that `text` has, without zone, port and brackets.

    An IPv4 address written as an IPv6 one is that IPv4 address: it is
    the same client. `None` if there is no address.
    """
    text = text.strip()
    if len(text) > _MAX_ADDRESS_LENGTH:
        return None
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _is_port(text: str) -> bool:
    """Tell whether `text` is a colon and a port's number."""
    digits = text[1:]
    return text[:1] == ":" and digits.isascii() and digits.isdigit()


def _is_trusted(address: Address, proxies: Proxies) -> bool:
    """Tell whether `address` is one of the `proxies`."""
    return any(address in network for network in proxies)

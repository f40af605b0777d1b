#!/usr/bin/env python3
"""The client's address, which only trusted proxies may state.

No header that a client sends changes the address that is found for it
(OWASP ASVS 5.0, 4.1.3), and no content of a header is an error.
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
Networks = Sequence[IPv4Network | IPv6Network]

#: The address and the network of a client without one, on a Unix socket.
UNKNOWN_ADDRESS = "unknown"
#: Bits of the network that a provider assigns to one IPv6 customer, who
#: can use every address in it.
IPV6_CUSTOMER_PREFIX_BITS = 64
#: Characters of an address with brackets, zone and port, at most.
_MAX_ADDRESS_LENGTH = 100


def client_address(
    peer: str | None, forwarded: str | None, proxies: Networks
) -> str:
    """Return the address of the client behind the trusted `proxies`.

    `peer` is the address that opened the connection, `forwarded` its
    `X-Forwarded-For`. Each proxy appends the address of its peer, so the
    header is read from the right end as long as the address before is a
    trusted proxy. If an entry is not an address, the trusted proxy that
    sent it is the best known client.
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


def is_secure(peer: str | None, forwarded: str, proxies: Networks) -> bool:
    """Return True if a trusted proxy states that its client used TLS.

    `forwarded` is `X-Forwarded-Proto`; of several values the last one
    counts, which is that of the nearest proxy.
    """
    return is_trusted_peer(peer, proxies) and (
        forwarded.rpartition(",")[2].strip().lower() == "https"
    )


def is_trusted_peer(peer: str | None, proxies: Networks) -> bool:
    """Return True if the peer of the connection is one of the `proxies`."""
    if not proxies:
        return False
    address = _parse_address(peer or "")
    return address is not None and _is_trusted(address, proxies)


def is_within(address: str, networks: Networks) -> bool:
    """Return True if `address` is this machine's or in `networks`."""
    found = _parse_address(address)
    return found is not None and (
        found.is_loopback or _is_trusted(found, networks)
    )


def network_of(address: str) -> str:
    """Return the network that counts as one client.

    An IPv4 address is one client, and so is a /64 network of IPv6.
    """
    found = _parse_address(address)
    if found is None:
        return UNKNOWN_ADDRESS
    bits = 32 if found.version == 4 else IPV6_CUSTOMER_PREFIX_BITS
    return str(ip_network((found, bits), strict=False))


def _parse_address(text: str) -> Address | None:
    """Return the address in `text`, without zone, port and brackets.

    An IPv4-mapped IPv6 address becomes the IPv4 address: it is the same
    client. `None` if there is no address.
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
    """Return True if `text` is a colon and a port number."""
    digits = text[1:]
    return text[:1] == ":" and digits.isascii() and digits.isdigit()


def _is_trusted(address: Address, proxies: Networks) -> bool:
    """Return True if `address` is one of the `proxies`."""
    return any(address in network for network in proxies)

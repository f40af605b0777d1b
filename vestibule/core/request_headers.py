#!/usr/bin/env python3
"""The request headers that decide: Host, Cookie, Authorization, X-Forwarded-*.

Each unreadable, empty, repeated or contradictory value has one outcome,
whichever server runs the service; SECURITY.md has the table. Headers about
the client count only from a trusted proxy (OWASP ASVS 5.0, 4.1.3). Only
`check` raises an error for the content of a header.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, NamedTuple

from vestibule.core import access_settings, settings
from vestibule.core.errors import UnreadableHeader
from vestibule.core.setting_types import UNIX_SOCKET, TrustedPeer, base_path

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]
Proxies = Sequence[TrustedPeer]
Environ = Mapping[str, Any]

#: The address and the network of a client without one, on a Unix socket.
UNKNOWN_ADDRESS = "unknown"
#: Bits of the network that one IPv6 customer has all addresses of.
IPV6_CUSTOMER_PREFIX_BITS = 64
#: The network of the IPv6 addresses that stand for IPv4 clients.
TRANSLATED_IPV4 = IPv6Network("64:ff9b::/96")
#: Characters of a host with its port (RFC 1035, section 2.3.4).
MAX_HOST_LENGTH = 255 + len(":65535")
#: Characters of a header of a proxy that a cache keeps.
MAX_CACHED_HEADER_LENGTH = 1_000
#: Characters of an address with brackets, zone and port, at most.
_MAX_ADDRESS_LENGTH = 100
_HOST = re.compile(r"(?:[0-9A-Za-z._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
#: A list whose elements are neither empty nor unreadable.
_ELEMENT = r"[ \t]*[!-+\--~][ -+\--~\t]*"
_READABLE_LIST = re.compile(f"{_ELEMENT}(?:,{_ELEMENT})*")
#: The name of a cookie (RFC 6265, 4.1.1).
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_BLANKS = " \t"
#: X-Forwarded-Proto for TLS: Traefik sends `wss` for websockets.
_TLS_SCHEMES = frozenset({"https", "wss"})
#: The headers of a trusted proxy that must be readable, by their WSGI keys.
_PROXY_HEADERS = {
    "HTTP_X_FORWARDED_FOR": "X-Forwarded-For",
    "HTTP_X_FORWARDED_PROTO": "X-Forwarded-Proto",
    "HTTP_X_FORWARDED_HOST": "X-Forwarded-Host",
    "HTTP_X_FORWARDED_PORT": "X-Forwarded-Port",
}


class ForwardedTarget(NamedTuple):
    """What the client asked the proxy for; `None` is unknown."""

    scheme: str | None = None
    host: str | None = None
    path: str | None = None


class Cookies(dict[str, str]):
    """The cookies of a request by name; those in conflict are left out."""


def check(environ: Environ) -> None:
    """Raise `UnreadableHeader` if a header that decides cannot be used."""
    name = unusable_header(environ)
    if name is not None:
        raise UnreadableHeader(name)


def unusable_header(environ: Environ) -> str | None:
    """Return the name of a header that cannot be used, or `None`.

    granian turns a value with a byte outside of ASCII into an empty text.
    If that counted as an absent header, a client could hide its address,
    and a cookie of another application could sign a user out.
    """
    if environ.get("HTTP_COOKIE") == "":
        return "Cookie"
    host = environ.get("HTTP_HOST", "")
    protocol = environ.get("SERVER_PROTOCOL")
    if not _is_usable_host(host[: MAX_HOST_LENGTH + 1], protocol):
        return "Host"
    if environ.keys().isdisjoint(_PROXY_HEADERS):
        return None
    if is_from_proxy(environ):
        for key, name in _PROXY_HEADERS.items():
            if key in environ and not _is_readable(key, environ[key]):
                return name
    return None


@lru_cache(maxsize=1024)
def _is_usable_host(host: str, protocol: str | None) -> bool:
    """Return True if a request by `protocol` may have this `Host`."""
    if host and host.isascii():
        return is_host(host)
    # RFC 9112, section 3.2. Probes by HTTP/1.0 may send none.
    return protocol != "HTTP/1.1"


def _is_readable(key: str, value: str) -> bool:
    """Return True if the `value` of a trusted proxy's header can be used."""
    if len(value) > MAX_CACHED_HEADER_LENGTH:
        return _is_usable_value.__wrapped__(key, value)
    return _is_usable_value(key, value)


@lru_cache(maxsize=1024)
def _is_usable_value(key: str, value: str) -> bool:
    """Return True if `value` can be used in the header `key`."""
    if not _READABLE_LIST.fullmatch(value):
        return False
    if key == "HTTP_X_FORWARDED_HOST":
        return is_host(_last(value))
    if key == "HTTP_X_FORWARDED_PORT":
        return _is_port(":" + _last(value))
    return True


def client_address(
    peer: str | None,
    forwarded: str | None,
    proxies: Proxies,
    hops: int = 0,
) -> str:
    """Return the address of the client behind the trusted `proxies`.

    `peer` is the address that opened the connection, `forwarded` its
    `X-Forwarded-For`. Each proxy appends the address of its peer, so the
    header is read from the right end as long as the address before is a
    trusted proxy or, with `hops`, for as many addresses. If an entry is
    not an address, the trusted proxy that sent it is the best known client.
    """
    address = _parse_peer(peer)
    if forwarded is not None and is_trusted_peer(peer, proxies):
        entries = forwarded.split(",")
        for hop in reversed(entries[-hops:] if hops else entries):
            seen = _parse_address(hop)
            if seen is None:
                break
            address = seen
            if not (hops or _is_trusted(address, proxies)):
                break
    return UNKNOWN_ADDRESS if address is None else str(address)


def address_of_client(environ: Environ) -> str:
    """Return the address of the client of a request, by the settings."""
    return client_address(
        environ.get("REMOTE_ADDR"),
        environ.get("HTTP_X_FORWARDED_FOR"),
        settings.TRUSTED_PROXIES.read(),
        settings.TRUSTED_HOPS.read(),
    )


def is_secure(peer: str | None, forwarded: str, proxies: Proxies) -> bool:
    """Return True if a trusted proxy states that its client used TLS.

    `forwarded` is `X-Forwarded-Proto`; of several values the last one
    counts, which is that of the nearest proxy.
    """
    return is_trusted_peer(peer, proxies) and (
        _last(forwarded).lower() in _TLS_SCHEMES
    )


def is_tls(environ: Environ) -> bool:
    """Return True if the client of this request uses TLS.

    The connection is to this server, or to a trusted proxy before it.
    """
    if environ["wsgi.url_scheme"] == "https":
        return True
    forwarded = environ.get("HTTP_X_FORWARDED_PROTO")
    return forwarded is not None and is_secure(
        environ.get("REMOTE_ADDR"),
        forwarded,
        settings.TRUSTED_PROXIES.read(),
    )


def own_hosts(environ: Environ) -> tuple[str, ...]:
    """Return the hosts, with ports, by which the client named this service.

    A trusted proxy's `X-Forwarded-Host` replaces `Host`, which the proxy
    may have rewritten. Its `X-Forwarded-Port` is another possible port of
    a host that names none.
    """
    host, port = environ.get("HTTP_HOST", ""), ""
    if is_from_proxy(environ):
        host = _last(environ.get("HTTP_X_FORWARDED_HOST", "")) or host
        port = _last(environ.get("HTTP_X_FORWARDED_PORT", ""))
    if not is_host(host):
        return ()
    if port and _without_port(host) == host and _is_port(":" + port):
        return host.lower(), f"{host}:{port}".lower()
    return (host.lower(),)


def forwarded_target(environ: Environ) -> ForwardedTarget:
    """Return what the client asked a trusted proxy for.

    The proxy sends it in `X-Forwarded-Host` and `X-Forwarded-Uri`, or, as
    ingress-nginx does, as one URL in `X-Original-URL`.
    """
    if not is_from_proxy(environ):
        return ForwardedTarget()
    scheme = "https" if is_tls(environ) else "http"
    host = _last(environ.get("HTTP_X_FORWARDED_HOST", "")).lower()
    path = environ.get("HTTP_X_FORWARDED_URI")
    original = environ.get("HTTP_X_ORIGINAL_URL", "")
    if path is None and original.startswith(("http://", "https://")):
        scheme, _, rest = original.partition("://")
        host, slash, path = rest.partition("/")
        return ForwardedTarget(scheme, host.lower(), slash + path)
    return ForwardedTarget(scheme, host, path)


def forwarded_prefix(environ: Environ) -> str:
    """Return the prefix that a trusted proxy removed from the path.

    It is empty without the header, and if the value is not a plain path: a
    proxy that does not know the header passes on what the client sent.
    """
    stated = environ.get("HTTP_X_FORWARDED_PREFIX")
    if stated is None or not is_from_proxy(environ):
        return ""
    try:
        return base_path(stated)
    except ValueError:
        return ""


def audience(environ: Environ) -> str:
    """Return the host of the application that a request is for, or "".

    It is in lower case. Only one of `IDENTITY_HOSTS` is returned, because
    a client may name any host.
    """
    listed = access_settings.IDENTITY_HOSTS.read()
    for host in own_hosts(environ):
        if host in listed or f"{_without_port(host)}:*" in listed:
            return host
    return ""


def is_from_proxy(environ: Environ) -> bool:
    """Return True if the request comes from a trusted proxy."""
    return is_trusted_peer(
        environ.get("REMOTE_ADDR"), settings.TRUSTED_PROXIES.read()
    )


def is_trusted_peer(peer: str | None, proxies: Proxies) -> bool:
    """Return True if the peer of the connection is one of the `proxies`.

    The peer is an empty text on a Unix socket.
    """
    if not proxies:
        return False
    if peer == "":
        return UNIX_SOCKET in proxies
    address = _parse_peer(peer)
    return address is not None and _is_trusted(address, proxies)


def is_within(address: str, networks: Networks) -> bool:
    """Return True if `address` is this machine's or in `networks`."""
    found = _parse_address(address)
    return found is not None and (
        found.is_loopback or _is_trusted(found, networks)
    )


def is_host(text: str) -> bool:
    """Return True if `text` is one host, with or without a port."""
    # The cache must not keep long texts of clients, so they stay out of it.
    return len(text) <= MAX_HOST_LENGTH and _is_host(text)


@lru_cache(maxsize=1024)
def _is_host(text: str) -> bool:
    """Return True if a text of bounded length is one host."""
    return bool(_HOST.fullmatch(text))


def _without_port(host: str) -> str:
    """Return a host without the port that it may name."""
    name, colon, _ = host.rpartition(":")
    return name if colon and not host.endswith("]") else host


def network_of(address: str | None) -> str:
    """Return the network that counts as one client.

    An IPv4 address is one client, also when it is translated to IPv6 (RFC
    6052, section 2.1), and so is a /64 network of IPv6.
    """
    found = None if address is None else _parse_address(address)
    if found is None:
        return UNKNOWN_ADDRESS
    bits: int = found.max_prefixlen
    if found.version == 6 and found not in TRANSLATED_IPV4:
        bits = IPV6_CUSTOMER_PREFIX_BITS
    return str(ip_network((found, bits), strict=False))


def cookies_of(header: str) -> Cookies:
    """Return the cookies of a `Cookie` header.

    A name is a token, which spaces and tabs may surround (RFC 6265, 4.1.1).
    Pairs with other names are ignored: a parser that strips more bytes
    would take two different names for the same. A value may contain spaces;
    quotes around it are removed. A name that has different values counts as
    absent: another host or an attacker set one of them, and their order
    does not show which (cookie tossing; RFC 6265, section 4.2.2).
    """
    found = Cookies()
    conflicting = []
    for pair in header.split(";"):
        name, equals, value = pair.strip(_BLANKS).partition("=")
        if not equals or not _is_token(name):
            continue
        if value[:1] == '"' and len(value) > 1 and value[-1] == '"':
            value = value[1:-1]
        if found.setdefault(name, value) != value:
            conflicting.append(name)
    for name in conflicting:
        found.pop(name, None)
    return found


def authorization_of(headers: Any) -> str | None:
    """Return the `Authorization` header in `headers`, or `None`.

    An unreadable value counts as an invalid credential, not as an absent
    one. So does a repeated header, which servers join with a comma.
    """
    value = None if headers is None else headers.get("Authorization")
    return value if isinstance(value, str) else None


def _last(values: str) -> str:
    """Return the last element of a list, which the nearest proxy added."""
    return values.rpartition(",")[2].strip(_BLANKS)


@lru_cache(maxsize=1024)
def _parse_peer(peer: str | None) -> Address | None:
    """Return the address of the peer of a connection, or `None`."""
    return _parse_address(peer or "")


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


def _is_trusted(address: Address, proxies: Proxies) -> bool:
    """Return True if `address` is one of the `proxies`."""
    return any(address in network for network in proxies)

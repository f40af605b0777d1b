#!/usr/bin/env python3
"""Whether another site made a browser send this request: pure policy.

Its law: what may change something is refused if the browser says that
another site is behind it. Programs say nothing of the kind and pass: they
send no cookie that their user did not give them (OWASP ASVS 5.0, 3.5.1).
"""

from typing import Any
from urllib.parse import urlsplit

#: Methods that change nothing (RFC 9110, 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_PORTS = {"http": 80, "https": 443}


def is_cross_site(method: str, headers: Any, by_tls: bool = False) -> bool:
    """Tell whether `headers` say that another site sends this request.

    They are any mapping with a `.get()` that knows no case. `by_tls` says
    that the request certainly came by TLS: then an origin without it is
    another one, which somebody on the way may have made up. Without, it
    may have come by TLS to a proxy that nobody trusts to say so.

    `Sec-Fetch-Site` is believed first: no page can forge it, and it still
    is right where a proxy changed the `Host`.
    """
    if method in SAFE_METHODS:
        return False
    site = headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none"):
        return False
    if site == "cross-site":
        return True
    origin = headers.get("Origin")
    if origin is None:
        return False
    return not _is_of(origin, headers.get("Host", ""), by_tls)


def _is_of(origin: str, host: str, by_tls: bool) -> bool:
    """Tell whether `origin` is a page of this very `host` and port."""
    try:
        page, own = urlsplit(origin), urlsplit(f"//{host}")
        port = _PORTS.get(page.scheme)
        return (
            port is not None
            and (page.scheme == "https" or not by_tls)
            and page.hostname == own.hostname
            and (page.port or port) == (own.port or port)
        )
    except ValueError:
        return False

#!/usr/bin/env python3
"""Protection against cross-site request forgery (CSRF), by headers.

A request with an unsafe method is refused if the browser's headers show
that another site sends it. Programs send no such headers and pass: they
send only cookies that their user gave them (OWASP ASVS 5.0, 3.5.1).
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden

from vestibule.core import settings

#: Methods that change nothing (RFC 9110, 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

#: The entry of `CORS_ORIGINS` for every page, without credentials.
ANY_ORIGIN = "*"
_PORTS = {"http": 80, "https": 443}


class CrossSiteRequest(Forbidden):
    """A browser sent a request that another site caused.

    `origin` is the `Origin` that differs from the `hosts` of this service.
    It is `null` if the browser hides it, and `None` if the request was
    refused by `Sec-Fetch-Site`.
    """

    def __init__(self, origin: str | None, hosts: Sequence[str]) -> None:
        """Keep both values for the log and the page."""
        super().__init__()
        self.origin = origin
        self.hosts = hosts


def is_cross_site(
    method: str,
    headers: Any,
    by_tls: bool = False,
    hosts: Sequence[str] | None = None,
) -> bool:
    """Return True if `headers` show that another site sends this request.

    `headers` is a mapping with a case-insensitive `.get()`. `by_tls` means
    that the request certainly used TLS: then an `http` origin is another
    site, which an attacker on the network may control. Without `by_tls`,
    the request may have used TLS to a proxy that is not trusted. `hosts`
    are those of this service; by default the `Host` in `headers`.

    `Sec-Fetch-Site` is checked first: no page can forge it, and it is
    right even where a proxy changed the `Host`.
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
    if hosts is None:
        hosts = [headers.get("Host", "")]
    return not any(_is_same_origin(origin, host, by_tls) for host in hosts)


def cross_site_error(headers: Any, hosts: Sequence[str]) -> CrossSiteRequest:
    """Return the error for a request that `is_cross_site` finds."""
    if headers.get("Sec-Fetch-Site") == "cross-site":
        return CrossSiteRequest(None, hosts)
    return CrossSiteRequest(headers.get("Origin"), hosts)


def is_listed_origin(origin: str | None) -> bool:
    """Return True if the operator lists `origin` in `CORS_ORIGINS`.

    `*` lists no origin: with it any page may read, but none may write.
    """
    listed = settings.CORS_ORIGINS.read()
    return origin in listed and origin != ANY_ORIGIN


def _is_same_origin(origin: str, host: str, by_tls: bool) -> bool:
    """Return True if `origin` has the same `host` and port."""
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

#!/usr/bin/env python3
"""The session cookie: the only place that reads, sets and clears it.

The session id is in this cookie and nowhere else in a response.
"""

from typing import Any

from vestibule.core import settings
from vestibule.core.request_headers import Cookies, cookies_of


def read(request: Any, name: str) -> str | None:
    """Return the value of the cookie `name` of `request`, or `None`.

    `request` has `cookies` or `headers` with a `.get()`: it is a request
    of any Flask application, or a test double. The header counts where
    there is one: Werkzeug drops cookies whose value has spaces, uses the
    first of two with one name, and strips bytes from names.
    """
    cookies = getattr(request, "cookies", None)
    if not isinstance(cookies, Cookies):
        header = _string_in(getattr(request, "headers", None), "Cookie")
        if header:
            return cookies_of(header).get(name)
    return _string_in(cookies, name)


def set_on(response: Any, name: str, session_id: str, secure: bool) -> None:
    """Set a session cookie that scripts and other sites cannot use.

    `secure` keeps it off unencrypted connections; it is set where the
    request came by TLS (OWASP ASVS 5.0, 3.3).
    """
    response.set_cookie(
        name,
        session_id,
        path="/",
        secure=_is_secure(secure),
        httponly=True,
        samesite="Lax",
    )


def clear_on(response: Any, name: str, secure: bool) -> None:
    """Make the browser delete a session cookie."""
    response.delete_cookie(
        name,
        path="/",
        secure=_is_secure(secure),
        httponly=True,
        samesite="Lax",
    )


def _is_secure(by_tls: bool) -> bool:
    """Return True if the cookie is for encrypted connections only."""
    return by_tls or settings.COOKIE_SECURE.read() == "always"


def _string_in(mapping: Any, name: str) -> str | None:
    """Return the value of `name` in `mapping` if it is a string."""
    value = None if mapping is None else mapping.get(name)
    return value if isinstance(value, str) else None

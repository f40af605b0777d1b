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
    request came by TLS (OWASP ASVS 5.0, 3.3). With `COOKIE_DOMAIN`, all
    hosts of the domain get it. Its path is always `/`, because it must
    reach the applications that forward authentication protects.
    """
    domain = settings.COOKIE_DOMAIN.read()
    if domain is not None:
        # A cookie of this host alone, from before the setting, would be in
        # conflict with the new one at each request.
        response.delete_cookie(name, **_attributes(secure))
    response.set_cookie(name, session_id, domain=domain, **_attributes(secure))


def clear_on(response: Any, name: str, secure: bool) -> None:
    """Make the browser delete a session cookie."""
    domain = settings.COOKIE_DOMAIN.read()
    if domain is not None:
        response.delete_cookie(name, domain=domain, **_attributes(secure))
    response.delete_cookie(name, **_attributes(secure))


def set_local(
    response: Any,
    name: str,
    value: str,
    secure: bool,
    path: str,
    max_age: int | None = None,
) -> None:
    """Set a cookie, with the same flags, for `path` of this host alone.

    The browser keeps it for `max_age` seconds, or until it is closed.
    """
    response.set_cookie(
        name, value, max_age=max_age, **_attributes(secure, path)
    )


def clear_local(response: Any, name: str, secure: bool, path: str) -> None:
    """Make the browser delete a cookie that `set_local` set."""
    response.delete_cookie(name, **_attributes(secure, path))


def _attributes(by_tls: bool, path: str = "/") -> dict[str, Any]:
    """Return the attributes of a cookie, as Werkzeug names them."""
    return {
        "path": path,
        "secure": by_tls or settings.COOKIE_SECURE.read() == "always",
        "httponly": True,
        "samesite": "Lax",
    }


def _string_in(mapping: Any, name: str) -> str | None:
    """Return the value of `name` in `mapping` if it is a string."""
    value = None if mapping is None else mapping.get(name)
    return value if isinstance(value, str) else None

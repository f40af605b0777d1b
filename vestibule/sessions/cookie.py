#!/usr/bin/env python3
"""How a session id travels: the one cookie, read, set and cleared here.

Its law: the id is in this cookie and in no other place of an answer.
"""

from typing import Any

from vestibule.core import settings


class Cookies(dict[str, str]):
    """The cookies of a request by name; those in conflict are left out."""


def cookies_of(header: str) -> Cookies:
    """Return the cookies of a `Cookie` header.

    A value is taken as it stands, blanks inside included, without quotes
    around it. A name that comes with different values counts as absent:
    somebody tossed a cookie of theirs in, and which of them is ours the
    order does not tell (RFC 6265, section 4.2.2).
    """
    found = Cookies()
    tossed = set()
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if not equals:
            continue
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if found.setdefault(name, value) != value:
            tossed.add(name)
    for name in tossed:
        del found[name]
    return found


def read(request: Any, name: str) -> str | None:
    """Return the value of the cookie `name` of `request`, or `None`.

    `request` is whatever has `cookies` or `headers` with a `.get()`: a
    request of any Flask application, or a stand-in for one. Where
    `cookies` has no such key the header itself is read, because Werkzeug
    leaves cookies out whose value has blanks; and where the header has
    the name twice, because Werkzeug would take the first.
    """
    cookies = getattr(request, "cookies", None)
    value = _string_in(cookies, name)
    if isinstance(cookies, Cookies):
        return value
    header = _string_in(getattr(request, "headers", None), "Cookie")
    if header is not None and (value is None or header.count(f"{name}=") > 1):
        return cookies_of(header).get(name)
    return value


def set_on(response: Any, name: str, session_id: str, secure: bool) -> None:
    """Set a cookie of ours, out of reach of scripts and other sites.

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
    """Make the browser drop a cookie of ours."""
    response.delete_cookie(
        name,
        path="/",
        secure=_is_secure(secure),
        httponly=True,
        samesite="Lax",
    )


def _is_secure(by_tls: bool) -> bool:
    """Tell whether the cookie is for encrypted connections alone."""
    return by_tls or settings.COOKIE_SECURE.read() == "always"


def _string_in(mapping: Any, name: str) -> str | None:
    """Return the string that `mapping` has by `name`, or `None`."""
    value = None if mapping is None else mapping.get(name)
    return value if isinstance(value, str) else None

#!/usr/bin/env python3
"""The one header of a request that identifies its user, and its checks.

A value that no honest client sends is rejected before a backend is asked.
Headers by which proxies name users are trusted from no client.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from vestibule.core.errors import InvalidValue

COOKIE = "Cookie"
#: Characters; servers accept 8,000 or 16,000 in one header.
MAX_HEADER_LENGTH = 16_384
#: What a field must not contain (RFC 9110, section 5.5): a line break would
#: begin another header in the request to Vestibule.
_INVALID_CHARACTERS = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
#: How the headers begin by which proxies name users.
_IDENTITY_PREFIXES = (
    "remote-",
    "x-remote-",
    "x-auth-request-",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
)
_WSGI_IDENTITY_PREFIXES = tuple(
    "HTTP_" + name.upper().replace("-", "_") for name in _IDENTITY_PREFIXES
)
_ASGI_IDENTITY_PREFIXES = tuple(name.encode() for name in _IDENTITY_PREFIXES)


def from_environ(environ: Mapping[str, Any], name: str) -> str | None:
    """Return the header `name` of a WSGI request, `None` without it.

    Raise `InvalidValue` for a value that is rejected.
    """
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    if not value:
        return None
    return _validated(name, [value], environ.get("HTTP_CONNECTION"))


def from_scope(scope: Mapping[str, Any], name: str) -> str | None:
    """Return the header `name` of an ASGI request, `None` without it.

    Raise `InvalidValue` for a value that is rejected. An HTTP/2 server may
    split a `Cookie` into several headers (RFC 9113, section 8.2.3).
    """
    wanted, values, connections = name.lower().encode(), [], []
    for key, value in scope["headers"]:
        if key == wanted:
            values.append(value.decode("latin-1"))
        elif key == b"connection":
            connections.append(value.decode("latin-1"))
    if not any(values):
        return None
    return _validated(name, values, ",".join(connections))


def strip_identity_headers(environ: MutableMapping[str, Any]) -> None:
    """Remove the headers that name a user from a WSGI request."""
    for key in [
        key for key in environ if key.startswith(_WSGI_IDENTITY_PREFIXES)
    ]:
        del environ[key]


def without_identity_headers(
    headers: list[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """Return ASGI headers without those that name a user.

    Applications may read `Remote_User` as `Remote-User`.
    """
    return [
        (key, value)
        for key, value in headers
        if not key.lower()
        .replace(b"_", b"-")
        .startswith(_ASGI_IDENTITY_PREFIXES)
    ]


def encode_header(value: str) -> str:
    """Return `value` in ASCII, as it is sent to Vestibule over HTTP.

    HTTP clients encode other characters differently. A session cookie is
    ASCII, so replacing the rest cannot produce a valid session.
    """
    return value.encode("ascii", "replace").decode("ascii")


def _validated(name: str, values: list[str], connection: str | None) -> str:
    """Return the value of a header, or raise `InvalidValue`."""
    if connection and name.lower() in {
        option.strip().lower() for option in connection.split(",")
    }:
        # The header was for the previous hop (RFC 9110, section 7.6.1).
        raise InvalidValue(name, "is named in Connection", code="invalid")
    value = "; ".join(values)
    if len(value) > MAX_HEADER_LENGTH:
        raise InvalidValue(
            name,
            f"is longer than {MAX_HEADER_LENGTH} characters",
            code="invalid",
        )
    if _INVALID_CHARACTERS.search(value):
        raise InvalidValue(
            name, "contains an invalid character", code="invalid_character"
        )
    if name != COOKIE and (len(values) > 1 or "," in value):
        raise InvalidValue(name, "is sent twice", code="invalid")
    return value

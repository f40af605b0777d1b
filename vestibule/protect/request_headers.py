#!/usr/bin/env python3
"""What a request presents: the one header by which people are known.

Its law: what no honest client sends is refused here, before anybody is
asked about it, and the headers by which gates name people are believed
from nobody.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from vestibule.core.errors import InvalidValue

COOKIE = "Cookie"
#: Characters of the header; servers take 8,000 or 16,000 of one.
MAX_HEADER_LENGTH = 16_384
#: What a field may not hold (RFC 9110, section 5.5): a line break in it
#: would begin another header on the way to Vestibule.
_CONTROL = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
#: How the headers begin that gates tell names by.
_NAMING = (
    "remote-",
    "x-remote-",
    "x-auth-request-",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
)
_NAMING_OF_WSGI = tuple(
    "HTTP_" + name.upper().replace("-", "_") for name in _NAMING
)
_NAMING_OF_ASGI = tuple(name.encode() for name in _NAMING)


def from_environ(environ: Mapping[str, Any], name: str) -> str | None:
    """Return the header `name` of a WSGI request, `None` without it.

    Raise `InvalidValue` for one that is refused.
    """
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    if not value:
        return None
    return _checked(name, [value], environ.get("HTTP_CONNECTION"))


def from_scope(scope: Mapping[str, Any], name: str) -> str | None:
    """Return the header `name` of an ASGI request, `None` without it.

    Raise `InvalidValue` for one that is refused. A server of HTTP/2 may
    give a `Cookie` in pieces (RFC 9113, section 8.2.3).
    """
    wanted, values, connections = name.lower().encode(), [], []
    for key, value in scope["headers"]:
        if key == wanted:
            values.append(value.decode("latin-1"))
        elif key == b"connection":
            connections.append(value.decode("latin-1"))
    if not any(values):
        return None
    return _checked(name, values, ",".join(connections))


def strip_identity_headers(environ: MutableMapping[str, Any]) -> None:
    """Drop the headers that name somebody from a WSGI request."""
    for key in [key for key in environ if key.startswith(_NAMING_OF_WSGI)]:
        del environ[key]


def without_identity_headers(
    headers: list[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """Return the headers of ASGI without those that name somebody.

    Applications may take `Remote_User` for `Remote-User`.
    """
    return [
        (key, value)
        for key, value in headers
        if not key.lower().replace(b"_", b"-").startswith(_NAMING_OF_ASGI)
    ]


def encode_header(value: str) -> str:
    """Return `value` as it goes to Vestibule over HTTP: in ASCII.

    Clients of HTTP disagree about how to send the rest. The cookie of a
    session is ASCII; what is not becomes something that is none.
    """
    return value.encode("ascii", "replace").decode("ascii")


def _checked(name: str, values: list[str], connection: str | None) -> str:
    """Return the value of a header, or raise `InvalidValue`."""
    if connection and name.lower() in {
        option.strip().lower() for option in connection.split(",")
    }:
        # It was for the hop before us alone (RFC 9110, section 7.6.1).
        raise InvalidValue(name, "is named in Connection", code="invalid")
    value = "; ".join(values)
    if len(value) > MAX_HEADER_LENGTH:
        raise InvalidValue(
            name,
            f"is longer than {MAX_HEADER_LENGTH} characters",
            code="invalid",
        )
    if _CONTROL.search(value):
        raise InvalidValue(
            name, "has characters that no header has", code="invalid_character"
        )
    if name != COOKIE and (len(values) > 1 or "," in value):
        raise InvalidValue(name, "is sent twice", code="invalid")
    return value

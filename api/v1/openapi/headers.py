#!/usr/bin/env python3
"""The headers of answers, each declared once."""

from typing import Any

from vestibule.identity.header import HEADER

_TEXT = {"type": "string"}


def _header(
    text: str, example: str, always: bool = False, **schema: Any
) -> dict[str, Any]:
    """Return a header object; `always` says that no answer is without."""
    return {
        "description": text,
        "required": always,
        "schema": {**_TEXT, **schema},
        "example": example,
    }


#: What the answers of the API have, whatever their status.
EVERYWHERE = {
    "Cache-Control": _header(
        "Whether the answer may be kept: what is personal may not.",
        "no-store", True,
    ),
    "Content-Security-Policy": _header(
        "What a browser may do with the answer.",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'", True,
    ),
    "Content-Length": _header("Bytes of the body.", "17"),
    "Cross-Origin-Opener-Policy": _header(
        "Keeps windows of other sites apart.", "same-origin", True
    ),
    "Referrer-Policy": _header(
        "Which addresses links tell of.", "no-referrer", True
    ),
    "Vary": _header(
        "What of the request the answer depends on.",
        "Cookie, Authorization", True,
    ),
    "X-Content-Type-Options": _header(
        "Keeps browsers from guessing what this is.", "nosniff", True
    ),
    "Access-Control-Allow-Origin": _header(
        "Whose pages may read the answer (`CORS_ORIGINS`); never with"
        " credentials, and never a page of the service.", "*",
    ),
    "Strict-Transport-Security": _header(
        "Where the request came by TLS.", "max-age=63072000"
    ),
}
#: What some answers have.
SPECIAL = {
    "Clear-Site-Data": _header(
        "What the browser drops.", '"cache", "storage"', True
    ),
    "Content-Disposition": _header(
        "Under which name a browser keeps the file.",
        'attachment; filename="events-2026-01-31.csv"', True,
        pattern="^attachment; filename=",
    ),
    "ETag": _header("Names this very content.", '"9f2c1a"', True),
    "Location": _header(
        "Where to sign in; of a 401, where a page would have been led to.",
        "/sign-in?rd=https%3A%2F%2Fapp.example%2F",
    ),
    "Remote-Email": _header(
        "The user's email, percent-encoded where it must be.",
        "bob@hbtn.io", True,
    ),
    "Remote-Groups": _header(
        "The user's role: `member` or `admin`.", "member", True
    ),
    "Remote-User": _header(
        "The user's id.", "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d", True
    ),
    "Retry-After": _header(
        "Seconds to wait before another try.", "2", pattern="^[0-9]+$"
    ),
    "Session-Ended": _header(
        "Why the session of the cookie ended, for who has its secret.",
        "reason=expired", pattern="^reason=[a-z_]+$",
    ),
    "Set-Cookie": _header(
        "The session's cookie: a new one, or an empty one that ends it.",
        "_my_session_id=1b4e28ba-2fa1-41d2-883f-0016d3cca427; HttpOnly;"
        " Path=/; SameSite=Lax",
    ),
    "WWW-Authenticate": _header(
        "How one may authenticate: `Basic` under `basic_auth`, else"
        " `Cookie`.", 'Cookie realm="vestibule"', True,
    ),
    HEADER: _header(
        "Who the user is, signed (`IDENTITY_HEADER`); empty where that is"
        " off.", "eyJhbGciOiJFZERTQSJ9.e30.c2ln", True,
    ),
}
ALL = EVERYWHERE | SPECIAL


def references(*names: str) -> dict[str, Any]:
    """Return the headers with these names, and those of every answer."""
    return {
        name: {"$ref": f"#/components/headers/{name}"}
        for name in sorted({*EVERYWHERE, *names})
    }

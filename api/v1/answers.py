#!/usr/bin/env python3
"""How an answer is written: JSON that a person can read, and its headers.

Its law: every answer of the service has the headers below, those of the
framework's own pages and of failures too, because they are added where
the answer leaves the process.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from api.v1.lean import LeanResponse

_STYLE = (
    orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
)

_HEADERS = [
    # Any origin may read what needs no cookie. Credentials are never
    # allowed, so a page elsewhere cannot read what a cookie opens.
    ("Access-Control-Allow-Origin", "*"),
    # ASVS 5.0, 14.3.2: what is personal stays out of every cache.
    ("Cache-Control", "no-store"),
    ("Vary", "Cookie, Authorization"),
    ("X-Content-Type-Options", "nosniff"),
]

WSGIApplication = Callable[..., Iterable[bytes]]


def answer(payload: Any, status: int = 200) -> LeanResponse:
    """Return `payload` as JSON, indented by two spaces, its keys sorted."""
    return LeanResponse(
        orjson.dumps(payload, option=_STYLE),
        status,
        mimetype="application/json",
    )


def with_headers(application: WSGIApplication) -> WSGIApplication:
    """Return `application` with our headers on each of its answers."""

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the application does, and add the headers."""

        def starting(
            status: str, headers: list[tuple[str, str]], *rest: Any
        ) -> Any:
            """Begin the answer with our headers after its own."""
            return start_response(status, headers + _HEADERS, *rest)

        return application(environ, starting)

    return answering

#!/usr/bin/env python3
"""How an answer is written: JSON that a person can read, and its headers.

Its law: every answer of the service has the headers below, those of the
framework's own pages and of failures too, because they are added where
the answer leaves the process (OWASP ASVS 5.0, 3.4 and 14.3).
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import orjson

from api.v1.lean import LeanResponse
from vestibule import settings

_STYLE = (
    orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
)

_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
# What an answer may know better.
_UNLESS_SET = {
    # What is personal stays out of every cache.
    "Cache-Control": "no-store",
    "Vary": "Cookie, Authorization",
    "Referrer-Policy": "no-referrer",
    # An answer of the API is no page: it loads nothing and is framed
    # nowhere.
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'"
    ),
}
_IS_PAGE = "Content-Security-Policy"
_READERS = "Access-Control-Allow-Origin"
_EVERYBODY = ("*",)
_name_of = itemgetter(0)
# Two years, as the lists that browsers ship ask for.
_TLS_ONLY = ("Strict-Transport-Security", "max-age=63072000")

WSGIApplication = Callable[..., Iterable[bytes]]


def answer(payload: Any, status: int = 200) -> LeanResponse:
    """Return `payload` as JSON, indented by two spaces, its keys sorted."""
    return LeanResponse(
        body_of(payload), status, mimetype="application/json"
    )


def body_of(payload: Any) -> bytes:
    """Return the bytes of the answer that shows `payload`."""
    return orjson.dumps(payload, option=_STYLE)


def challenged(response: LeanResponse, mechanism: Any) -> LeanResponse:
    """Return a 401 `response` that says how one may authenticate.

    RFC 9110, 11.6.1 asks for it. Only under `basic_auth` it is `Basic`,
    because browsers open a window of their own then.
    """
    scheme = getattr(mechanism, "scheme", "Cookie")
    response.headers["WWW-Authenticate"] = f'{scheme} realm="vestibule"'
    return response


def with_reason(response: LeanResponse, reason: str | None) -> LeanResponse:
    """Return `response`, and why the session of the request ended.

    In a header, because the body is the same for everybody.
    """
    if reason is not None:
        response.headers["Session-Ended"] = f"reason={reason}"
    return response


def with_headers(
    application: WSGIApplication,
    is_secure: Callable[[dict[str, Any]], bool],
) -> WSGIApplication:
    """Return `application` with our headers on each of its answers.

    `is_secure` tells of a request's environment if it came by TLS.
    """
    origins = settings.CORS_ORIGINS.read()
    # Credentials are never allowed with it, so a page elsewhere cannot
    # read what a cookie opens.
    shared = [(_READERS, "*")] if origins == _EVERYBODY else []
    listed = () if shared else origins
    usual = [*_UNLESS_SET.items(), *_ALWAYS, *shared]

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the application does, and add the headers."""

        def starting(
            status: str, headers: list[tuple[str, str]], failed: Any = None
        ) -> Any:
            """Begin the answer with our headers after its own."""
            known = set(map(_name_of, headers))
            is_page = _IS_PAGE in known
            if known.isdisjoint(_UNLESS_SET):
                sent = headers + usual
            else:
                sent = headers + _ALWAYS + [
                    header for header in _UNLESS_SET.items()
                    if header[0] not in known
                ]
                # A page is for no other site's scripts to read.
                if not is_page:
                    sent += shared
            if listed and not is_page:
                sent += _read_by(listed, environ)
            if is_secure(environ):
                sent.append(_TLS_ONLY)
            return start_response(status, sent, failed)

        return application(environ, starting)

    return answering


def _read_by(
    origins: tuple[str, ...], environ: dict[str, Any]
) -> list[tuple[str, str]]:
    """Return the headers by which one of `origins` may read the answer.
    """
    asking = environ.get("HTTP_ORIGIN", "")
    return [("Vary", "Origin")] + (
        [(_READERS, asking)] if asking in origins else []
    )

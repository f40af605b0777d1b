#!/usr/bin/env python3
"""The headers that each answer has, whatever answers.

Its law: every answer of the service has the headers below, those of the
framework's own pages and of failures too, because they are added where
the answer leaves the process (OWASP ASVS 5.0, 3.4 and 14.3).
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from vestibule.core import settings
from vestibule.http.responses import WSGIApplication

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
# Two years, as the lists that browsers ship ask for.
_TLS_ONLY = ("Strict-Transport-Security", "max-age=63072000")
_name_of = itemgetter(0)

Headers = list[tuple[str, str]]
Environ = dict[str, Any]


class ResponseHeaders:
    """Our headers, as the settings of the start want them."""

    def __init__(self, is_secure: Callable[[Environ], bool]) -> None:
        """Read the settings; `is_secure` tells if a request came by TLS."""
        origins = settings.CORS_ORIGINS.read()
        self._is_secure = is_secure
        # Credentials are never allowed with it, so a page elsewhere
        # cannot read what a cookie opens.
        self._shared = [(_READERS, "*")] if origins == _EVERYBODY else []
        self._listed = () if self._shared else origins
        self._usual = [*_UNLESS_SET.items(), *_ALWAYS, *self._shared]

    def after(self, own: Headers) -> Headers:
        """Return an answer's `own` headers with ours after them.

        Those that depend on the request are not among them.
        """
        known = set(map(_name_of, own))
        if known.isdisjoint(_UNLESS_SET):
            return own + self._usual
        return (
            own
            + _ALWAYS
            + [
                header
                for header in _UNLESS_SET.items()
                if header[0] not in known
            ]
            + ([] if _IS_PAGE in known else self._shared)
        )

    def for_request(self, environ: Environ, is_page: bool) -> Headers:
        """Return those that depend on the request, which are few."""
        found: Headers = []
        # A page is for no other site's scripts to read.
        if self._listed and not is_page:
            found.append(("Vary", "Origin"))
            asking = environ.get("HTTP_ORIGIN", "")
            if asking in self._listed:
                found.append((_READERS, asking))
        if self._is_secure(environ):
            found.append(_TLS_ONLY)
        return found


def add_headers(
    application: WSGIApplication, headers: ResponseHeaders
) -> WSGIApplication:
    """Return `application` with our `headers` on each of its answers."""

    def answering(
        environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the application does, and add the headers."""

        def starting(status: str, own: Headers, failed: Any = None) -> Any:
            """Begin the answer with our headers after its own."""
            is_page = any(name == _IS_PAGE for name, _ in own)
            sent = headers.after(own)
            sent += headers.for_request(environ, is_page)
            return start_response(status, sent, failed)

        return application(environ, starting)

    return answering

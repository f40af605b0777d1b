#!/usr/bin/env python3
"""What is done where a response leaves the process: headers, and a count.

The security headers are added here, so the framework's own pages and
failures have them too (OWASP ASVS 5.0, 3.4 and 14.3).

A request is counted by its route, never by its path: clients choose paths,
so their number would have no bound.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from vestibule.core import clock, settings
from vestibule.http.csrf import ANY_ORIGIN
from vestibule.http.responses import WSGIApplication
from vestibule.metrics import multiprocess
from vestibule.metrics.counters import counters

#: The paths that pages of other origins may use; pages themselves are not
#: among them.
API_PREFIX = "/api/"
#: The path of forward authentication.
VERIFY_PATH = "/api/v1/auth_session/verify"
_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
# A response may set these itself.
_UNLESS_SET = {
    # Personal data stays out of every cache.
    "Cache-Control": "no-store",
    "Vary": "Cookie, Authorization",
    "Referrer-Policy": "no-referrer",
    # A response of the API is not a page: it loads nothing and may not be
    # framed.
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'"
    ),
}
_IS_PAGE = "Content-Security-Policy"
_ALLOW_ORIGIN = "Access-Control-Allow-Origin"
# The methods and headers that clients of the API use. All browsers keep the
# answer to a preflight for up to 600 seconds.
_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
]
_LISTED = [
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "Retry-After, Session-Ended"),
]
# Two years, as the preload lists of browsers require.
_TLS_ONLY = ("Strict-Transport-Security", "max-age=63072000")
_name_of = itemgetter(0)
Header = tuple[str, str]
Headers = list[Header]
Environ = dict[str, Any]
#: The key of the environ by which code before Flask names its route.
ROUTE_KEY = "vestibule.route"
#: Stands for a request without a route, and for an unknown method.
NONE = "none"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
)


class ResponseHeaders:
    """The headers that the settings at the start call for."""

    def __init__(self, is_secure: Callable[[Environ], bool]) -> None:
        """Read the settings; `is_secure` returns True for TLS requests."""
        origins = settings.CORS_ORIGINS.read()
        self._is_secure = is_secure
        # `*` never allows credentials, so a page of another origin cannot
        # read what a cookie gives access to.
        self._shared = [
            (_ALLOW_ORIGIN, ANY_ORIGIN)
            for origin in origins
            if origin == ANY_ORIGIN
        ]
        self._listed = () if self._shared else origins
        #: The headers of responses that set none of them.
        self.usual = [*_UNLESS_SET.items(), *_ALWAYS, *self._shared]

    def after(self, own: Headers) -> Headers:
        """Return a response's `own` headers, followed by the service's.

        `for_request` returns those that depend on the request.
        """
        known = set(map(_name_of, own))
        if known.isdisjoint(_UNLESS_SET):
            return own + self.usual
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
        """Return the headers that depend on the request."""
        found: Headers = []
        # Scripts of other sites may not read a page.
        if self._listed and not is_page:
            found.append(("Vary", "Origin"))
            asking = environ.get("HTTP_ORIGIN", "")
            if asking in self._listed:
                found += [(_ALLOW_ORIGIN, asking), *_LISTED]
        if self._is_secure(environ):
            found.append(_TLS_ONLY)
        return found

    def answer_preflights(
        self, application: WSGIApplication
    ) -> WSGIApplication:
        """Return `application` with preflights of listed origins answered.

        A browser sends them without credentials (Fetch, CORS-preflight
        fetch), so they are answered before authentication. They reveal
        nothing: the answer is the same for every path of the API.
        """
        if not self._listed:
            return application

        def answering(
            environ: Environ, start_response: Callable[..., Any]
        ) -> Iterable[bytes]:
            """Answer a preflight, or respond as the application does."""
            if not self._is_preflight(environ):
                return application(environ, start_response)
            own = self.for_request(environ, is_page=False)
            start_response("204 No Content", self.after(_PREFLIGHT) + own)
            return ()

        return answering

    def _is_preflight(self, environ: Environ) -> bool:
        """Return True for a preflight of a listed origin to the API."""
        return (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
            and environ.get("HTTP_ORIGIN") in self._listed
            and environ["PATH_INFO"].startswith(API_PREFIX)
            # For a proxy, any 2xx of verify means a user who is signed in.
            and not environ["PATH_INFO"].startswith(VERIFY_PATH)
        )


def add_headers(
    application: WSGIApplication, headers: ResponseHeaders
) -> WSGIApplication:
    """Return `application` with `headers` on each of its responses."""

    def answering(
        environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Respond as the application does, and add the headers."""

        def starting(status: str, own: Headers, failed: Any = None) -> Any:
            """Start the response with the service's headers after its own."""
            is_page = _IS_PAGE in map(_name_of, own)
            sent = headers.after(own)
            sent += headers.for_request(environ, is_page)
            return start_response(status, sent, failed)

        return application(environ, starting)

    return answering


def count_requests(application: WSGIApplication) -> WSGIApplication:
    """Return `application` with each of its responses counted."""
    is_begun = False

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Respond as the application does, and count it."""
        nonlocal is_begun
        if not is_begun:
            # At the first request: workers are forked, threads are not.
            is_begun = True
            multiprocess.start_sharing()
        began = clock.monotonic()

        def starting(
            status: str, headers: list[tuple[str, str]], failed: Any = None
        ) -> Any:
            """Count the response, and start it."""
            method = environ["REQUEST_METHOD"]
            counters().count_response(
                method if method in _METHODS else NONE,
                environ.get(ROUTE_KEY) or route_of(environ),
                status[:3],
                began,
            )
            return start_response(status, headers, failed)

        return application(environ, starting)

    return answering


def route_of(environ: dict[str, Any]) -> str:
    """Return the route that answers the request of `environ`."""
    route: str | None = environ.get(ROUTE_KEY)
    if route is not None:
        return route
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return NONE if rule is None else str(rule.rule)

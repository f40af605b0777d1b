#!/usr/bin/env python3
"""Responses that identify a user, and a cache of them by cookies.

The cache saves Flask's part of `GET /api/v1/users/me`, and the reading of
cookies for forward authentication. A cached response counts only while the
cached session behind it does (`vestibule.mechanisms.session_cache`), and
only for the very same `Cookie` header under the same `SESSION_NAME`.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from sys import intern
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import Flask
from flask.signals import (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    request_finished,
    request_started,
    request_tearing_down,
)

from vestibule.core import settings
from vestibule.core.application_hosts import is_for_host
from vestibule.core.request_headers import unusable_header
from vestibule.http.middleware import (
    ROUTE_KEY,
    Header,
    Headers,
    ResponseHeaders,
)
from vestibule.http.request import VestibuleRequest
from vestibule.http.responses import WSGIApplication, json_body
from vestibule.identity.header import (
    ASSURANCE_HEADER,
    EMAIL_VERIFIED_HEADER,
    FACTS_HEADER,
    HEADER,
    Identity,
    facts_header,
)
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_cache import (
    CachedSession,
    RecentEntries,
    is_valid,
)
from vestibule.sessions.facts import (
    NO_FACTS,
    PasswordProof,
    SessionFacts,
    acr_of,
    amr_of,
    facts_of,
    facts_of_session,
    level_of,
)

ME = "/api/v1/users/me"
_ME_PATHS = frozenset({ME, f"{ME}/"})
_ME_ENDPOINT = "app_views.show_me"
#: Characters of a `Cookie` header that may be a key of the cache.
MAX_COOKIE_HEADER_LENGTH = 1000
#: Characters that are not encoded in a header. Others are percent-encoded
#: UTF-8, so that no name can end a line or be read in two ways.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
#: Methods of Flask that take part in a response. An application in which
#: one is replaced answers by itself.
_FLASK_METHODS = frozenset(
    {
        "create_url_adapter",
        "dispatch_request",
        "do_teardown_appcontext",
        "do_teardown_request",
        "ensure_sync",
        "finalize_request",
        "full_dispatch_request",
        "make_response",
        "preprocess_request",
        "process_response",
        "request_class",
        "request_context",
        "response_class",
        "session_interface",
    }
)
_SIGNALS = (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    request_finished,
    request_started,
    request_tearing_down,
)


_receivers_of = attrgetter("receivers")
_JSON = ("Content-Type", "application/json")


class UserResponse(NamedTuple):
    """The body and the headers of responses that identify a user.

    Responses share what does not differ between users: with 100,000 of them
    the processor's cache misses cost more than the code that runs.
    """

    body: bytes
    #: The header with the length of the body.
    length: Header
    #: The service's headers of all responses.
    usual: Headers
    #: What forward authentication adds, apart from a token.
    remote: tuple[Header, ...]
    #: The identity of the user, for no application yet.
    identity: Identity
    #: How and when the user authenticated, for the rules of the gate.
    facts: SessionFacts

    @property
    def role(self) -> str:
        """Return the user's role, by which a proxy's rule decides."""
        return self.identity.role

    @classmethod
    def of(
        cls, user: Any, headers: ResponseHeaders, facts: SessionFacts
    ) -> "UserResponse":
        """Return the response for `user`, with the service's `headers`.

        `facts` say how the user authenticated.

        Each `Remote-*` header is present, because Caddy 2.6 would pass its
        own placeholder on instead of a header that is missing.
        """
        body = json_body(user.to_json())
        identity = identity_of(user, facts)
        is_verified = "true" if identity.is_verified else "false"
        remote = (
            ("Remote-User", _plain(identity.subject)),
            ("Remote-Email", _plain(identity.email)),
            _shared(EMAIL_VERIFIED_HEADER, is_verified),
            _shared("Remote-Groups", _plain(identity.role)),
            _shared(ASSURANCE_HEADER, str(level_of(facts))),
            (FACTS_HEADER, facts_header(identity)),
        )
        length = _shared("Content-Length", str(len(body)))
        usual = headers.usual
        return cls(body, length, usual, remote, identity, facts)

    def me_headers(self, own: Headers) -> Headers:
        """Return the headers of `users/me`; `own` depend on the request."""
        return [_JSON, self.length, *self.usual, *own]

    def verify_headers(self, token: str, own: Headers) -> Headers:
        """Return the headers of forward authentication.

        `token` identifies the user to one application, or is empty. `own`
        are those that depend on the request.
        """
        shared = [_JSON, self.length, *self.remote, *self.usual]
        return [*shared, (HEADER, token), *own]

    def identity_for(self, audience: str) -> Identity:
        """Return the identity for a token to an application."""
        return self.identity._replace(audience=audience)


def identity_of(user: Any, facts: SessionFacts) -> Identity:
    """Return the identity of a user, for no application yet.

    `facts` say how the user authenticated.
    """
    at = facts.auth_time
    return Identity(
        user.id,
        getattr(user, "email", None) or "",
        getattr(user, "role", None) or "",
        getattr(user, "email_verified_at", None) is not None,
        audience="",
        auth_time=None if at is None else int(at.timestamp()),
        amr=tuple(amr_of(facts)),
        acr=acr_of(facts),
        phishing_resistant=facts.phishing_resistant,
        reauth_window=settings.REAUTH_WINDOW.read(),
    )


def facts_of_request(request: VestibuleRequest) -> SessionFacts:
    """Return how the user of an authenticated request proved that."""
    if isinstance(request.mechanism, BasicAuth):
        # The request itself has the password.
        return facts_of([PasswordProof(request.sessions.now())])
    if not request.sessions.has_store:
        return NO_FACTS
    session = request.session
    # The sessions of an application's own store may have no facts.
    if not hasattr(session, "second_factor_at"):
        return NO_FACTS
    return NO_FACTS if session is None else facts_of_session(session)


class _Entry(NamedTuple):
    """A response, and the conditions under which it is valid."""

    cookie_name: str | None
    #: The host that the session is for; `None` for all of them.
    host: str | None
    session: CachedSession
    response: UserResponse


class ResponseCache:
    """Responses by the `Cookie` header that they were given for."""

    def __init__(
        self, mechanism: Callable[[], Auth | None], headers: ResponseHeaders
    ) -> None:
        """Begin empty; `mechanism` returns the current mechanism."""
        self._mechanism = mechanism
        self._headers = headers
        self._entries: RecentEntries[_Entry] = RecentEntries(
            settings.SESSION_CACHE_MAX.read
        )

    def find(self, environ: dict[str, Any]) -> UserResponse | None:
        """Return the response for the cookies of `environ`, if it is valid."""
        if (
            environ["REQUEST_METHOD"] != "GET"
            or "HTTP_AUTHORIZATION" in environ
        ):
            return None
        entry = self._entries.get(environ.get("HTTP_COOKIE", ""))
        if (
            entry is None
            or entry.cookie_name != settings.SESSION_NAME.read()
            or not is_valid(self._mechanism(), entry.session)
            or unusable_header(environ) is not None
        ):
            return None
        if entry.host is not None and not is_for_host(entry.host, environ):
            return None
        return entry.response

    def add(
        self,
        environ: dict[str, Any],
        session: CachedSession,
        response: UserResponse | None = None,
    ) -> None:
        """Keep the response for the cookies that `session` was found by."""
        cookies = environ.get("HTTP_COOKIE", "")
        if len(cookies) > MAX_COOKIE_HEADER_LENGTH:
            return
        if response is None:
            facts = facts_of_session(session.session)
            response = UserResponse.of(session.user, self._headers, facts)
        name = settings.SESSION_NAME.read()
        if name is not None:
            name = intern(name)
        host = session.session.host
        self._entries.put(cookies, _Entry(name, host, session, response))


class MeShortcut:
    """Answers `GET /api/v1/users/me` in front of Flask, from the cache.

    It sends the bytes that the view sent before for the same cookies, and
    only while the application is as it was built: with its own view, its
    one filter and no other hooks.
    """

    def __init__(
        self,
        application: WSGIApplication,
        app: Flask,
        cache: ResponseCache,
        headers: ResponseHeaders,
    ) -> None:
        """Stand before `application`, which is `app` with its headers.

        Call this when the filter of `app` is registered.
        """
        self._application = application
        self._app = app
        self._cache = cache
        self._headers = headers
        self._view = app.view_functions[_ME_ENDPOINT]
        self._filters = list(app.before_request_funcs[None])

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the request of `environ`."""
        if environ["PATH_INFO"] not in _ME_PATHS:
            return self._application(environ, start_response)
        found: UserResponse | None = None
        try:
            found = self._cache.find(environ)
            # Last, because it takes longest.
            if found is not None and not self._is_unchanged():
                found = None
        except Exception:
            # The application has the same failure, and reports it.
            pass
        if found is None:
            return self._answer_and_keep(environ, start_response)
        environ[ROUTE_KEY] = ME
        own = self._headers.for_request(environ, is_page=False)
        start_response("200 OK", found.me_headers(own))
        return (found.body,)

    def _answer_and_keep(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Let Flask answer, and keep what identifies the user."""

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            """Keep the user of the request; Flask removes it at its end."""
            self._keep(environ)
            return start_response(status, headers, exc_info)

        return self._application(environ, start)

    def _keep(self, environ: dict[str, Any]) -> None:
        """Keep the response for the user of an authenticated request."""
        request = environ.get("werkzeug.request")
        if (
            isinstance(request, VestibuleRequest)
            and request.cached_session is not None
            and environ["REQUEST_METHOD"] == "GET"
            and "HTTP_AUTHORIZATION" not in environ
            and self._is_unchanged()
        ):
            self._cache.add(environ, request.cached_session)

    def _is_unchanged(self) -> bool:
        """Return True if the application answers as it was built."""
        app = self._app
        return (
            app.view_functions[_ME_ENDPOINT] is self._view
            and len(app.before_request_funcs) == 1
            and app.before_request_funcs.get(None) == self._filters
            and not app.after_request_funcs
            and not app.teardown_request_funcs
            and not app.teardown_appcontext_funcs
            and not app.url_value_preprocessors
            and vars(app).keys().isdisjoint(_FLASK_METHODS)
            and not any(map(_receivers_of, _SIGNALS))
        )


def anonymous_response(
    headers: ResponseHeaders, environ: dict[str, Any]
) -> tuple[bytes, Headers]:
    """Return the response that lets a request pass without a user.

    Each header that identifies a user is present and empty, so that a proxy
    replaces what the client sent.
    """
    body = json_body({})
    names = (
        "Remote-User",
        "Remote-Email",
        EMAIL_VERIFIED_HEADER,
        "Remote-Groups",
        ASSURANCE_HEADER,
        HEADER,
    )
    own = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        *((name, "") for name in names),
    ]
    return body, (
        own + headers.after([]) + headers.for_request(environ, is_page=False)
    )


@lru_cache(maxsize=1024)
def _shared(name: str, value: str) -> Header:
    """Return one header that all responses share."""
    return name, value


def _plain(text: str) -> str:
    """Return `text` encoded for a header."""
    if text.isascii() and text.isprintable() and "%" not in text:
        return text
    return quote(text, safe=_PLAIN)

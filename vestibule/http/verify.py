#!/usr/bin/env python3
"""The gate: what a proxy asks before it lets a request pass to any app.

Its law: it decides as the filter of the API does, by the same function;
it answers 200 to whoever it can name and to nobody else, and whatever
fails inside it is no 200. It stands before Flask, as a WSGI function of
its own, because it is asked for each request of whole applications.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import quote

from vestibule.core import network, settings
from vestibule.core.errors import VestibuleError
from vestibule.core.redirects import sign_in_url
from vestibule.http import errors
from vestibule.http.access import Outcome, authenticate, start_request
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.headers import Headers, ResponseHeaders, add_headers
from vestibule.http.request import VestibuleRequest, is_tls
from vestibule.http.request_metrics import ROUTE_KEY
from vestibule.http.responses import (
    WSGIApplication,
    add_challenge,
    add_session_ended,
    json_body,
    json_response,
)
from vestibule.identity.header import HEADER, Identity, Signing
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_cache import (
    MAX_CACHED_SESSIONS,
    CachedSession,
    is_valid,
)

PATH = "/api/v1/auth_session/verify"
_PATHS = frozenset({PATH, f"{PATH}/"})
#: Characters of cookies that are known again.
MAX_COOKIE_HEADER_LENGTH = 1000
#: Characters of a host with its port.
MAX_HOST_LENGTH = 255 + len(":65535")
#: What stays as it is in a header; the rest is percent-encoded UTF-8, so
#: that no name can end a line or be read in two ways.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


#: Body and headers of an answer that names a user.
IdentityResponse = tuple[bytes, Headers]


class _UserResponse(NamedTuple):
    """What is told of a user, whoever asks."""

    body: bytes
    headers: Headers
    identity: tuple[str, str, str]

    @classmethod
    def of(cls, user: Any, headers: ResponseHeaders) -> "_UserResponse":
        """Show `user`, with each of the headers, and ours after them.

        Caddy 2.6 would pass its own placeholder on instead of a header
        that is missing.
        """
        body = json_body(user.to_json())
        email, role = (
            getattr(user, name, None) or "" for name in ("email", "role")
        )
        return cls(
            body,
            headers.after(
                [
                    ("Content-Type", "application/json"),
                    ("Content-Length", str(len(body))),
                    ("Remote-User", _plain(user.id)),
                    ("Remote-Email", _plain(email)),
                    ("Remote-Groups", _plain(role)),
                ]
            ),
            (user.id, email, role),
        )


class _CachedResponse(NamedTuple):
    """What the cookies of a request were answered, and what by."""

    cookie_name: str | None
    known: CachedSession
    shown: _UserResponse


class ForwardAuth:
    """Answers verify, and hands all other requests to `application`."""

    def __init__(
        self,
        application: WSGIApplication,
        mechanism: Callable[[], Auth | None],
        signer: Signing | None,
        headers: ResponseHeaders,
    ) -> None:
        """Stand before `application`; `mechanism` is asked each time."""
        self._application = add_headers(application, headers)
        self._headers = headers
        self._mechanism = mechanism
        self._login_url = settings.LOGIN_URL.read()
        self._return_hosts = settings.ALLOWED_RETURN_HOSTS.read()
        self._signer = signer
        self._kept: dict[str, _CachedResponse] = {}

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the request of `environ`."""
        if environ["PATH_INFO"] not in _PATHS:
            return self._application(environ, start_response)
        environ[ROUTE_KEY] = PATH
        answered: MinimalResponse | IdentityResponse | None = None
        try:
            answered = self._again(environ)
        except Exception:
            # Whoever asks without what is kept learns what is wrong.
            pass
        if answered is None:
            answered = self._asked(VestibuleRequest(environ))
        if isinstance(answered, MinimalResponse):
            return add_headers(answered, self._headers)(
                environ, start_response
            )
        body, headers = answered
        start_response("200 OK", headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)

    def _again(self, environ: dict[str, Any]) -> IdentityResponse | None:
        """Return what the same cookies were answered, while that holds.

        To read them once more takes longer than all the rest.
        """
        if (
            environ["REQUEST_METHOD"] != "GET"
            or "HTTP_AUTHORIZATION" in environ
        ):
            return None
        kept = self._kept.get(environ.get("HTTP_COOKIE", ""))
        if (
            kept is None
            or kept.cookie_name != settings.SESSION_NAME.read()
            or not is_valid(self._mechanism(), kept.known)
        ):
            return None
        return self._named(kept.shown, environ)

    def _keep(
        self,
        environ: dict[str, Any],
        known: CachedSession,
        shown: "_UserResponse",
    ) -> None:
        """Keep what the cookies of a request were answered."""
        cookies = environ.get("HTTP_COOKIE", "")
        if len(cookies) <= MAX_COOKIE_HEADER_LENGTH:
            if len(self._kept) >= MAX_CACHED_SESSIONS:
                self._kept.clear()
            self._kept[cookies] = _CachedResponse(
                settings.SESSION_NAME.read(), known, shown
            )

    def _asked(
        self, request: VestibuleRequest
    ) -> MinimalResponse | IdentityResponse:
        """Return the answer to a request, whatever happens."""
        try:
            return self._verified(request)
        except VestibuleError as error:
            return errors.error_response(error, request)
        except Exception:
            return errors.internal_error_response(request)

    def _verified(
        self, request: VestibuleRequest
    ) -> MinimalResponse | IdentityResponse:
        """Return what names the user, or the answer to who has no name."""
        auth = self._mechanism()
        start_request(auth, request)
        if request.environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refused = json_response({"error": "Method Not Allowed"}, 405)
            refused.headers["Allow"] = "GET, HEAD"
            return refused
        decision = authenticate(auth, request)
        if decision.outcome is not Outcome.PASSED:
            return self._refused(request)
        shown = _UserResponse.of(decision.principal, self._headers)
        if decision.known is not None:
            self._keep(request.environ, decision.known, shown)
        return self._named(shown, request.environ)

    def _named(
        self, shown: "_UserResponse", environ: dict[str, Any]
    ) -> IdentityResponse:
        """Return what names a user to who asks by `environ`."""
        token = ""
        if self._signer is not None:
            token = self._signer.token(
                Identity(*shown.identity, _audience(environ))
            )
        own = self._headers.for_request(environ, is_page=False)
        return shown.body, [*shown.headers, (HEADER, token), *own]

    def _refused(self, request: VestibuleRequest) -> MinimalResponse:
        """Return the answer to a request that nobody is known by.

        A page that a browser loads leads to the sign-in page, if sessions
        can be had there at all; nothing else could follow it.
        """
        response = add_session_ended(
            json_response({"error": "Unauthorized"}, 401),
            request.session_ended,
        )
        if (
            self._login_url is not None
            and hasattr(request.mechanism, "create_session")
            and _is_page_load(request)
        ):
            response.headers["Location"] = sign_in_url(
                self._login_url,
                _forwarded(request.environ),
                self._return_hosts,
            )
            query = request.environ.get("QUERY_STRING", "")
            if "redirect=off" not in query.split("&"):
                response.status_code = 302
                return response
        return add_challenge(response, request.mechanism)


def _is_page_load(request: VestibuleRequest) -> bool:
    """Tell whether a browser will show the answer as a page.

    Browsers of today say so (Fetch Metadata); of others, what they accept
    tells. A websocket begins with a GET too.
    """
    environ = request.environ
    if "HTTP_UPGRADE" in environ:
        return False
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return bool(mode == "navigate")
    return request.prefers_page


def _forwarded(
    environ: dict[str, Any],
) -> tuple[str | None, str | None, str | None]:
    """Return scheme, host and path that a trusted proxy was asked for."""
    if not _is_from_proxy(environ):
        return None, None, None
    return (
        "https" if is_tls(environ) else "http",
        environ.get("HTTP_X_FORWARDED_HOST", "").lower(),
        environ.get("HTTP_X_FORWARDED_URI"),
    )


def _audience(environ: dict[str, Any]) -> str:
    """Return the host of the application that a request is for."""
    host: str | None = None
    if _is_from_proxy(environ):
        host = environ.get("HTTP_X_FORWARDED_HOST")
    host = host or environ.get("HTTP_HOST") or ""
    # Tokens are kept by it; no name is longer (RFC 1035, section 2.3.4).
    return host.lower() if len(host) <= MAX_HOST_LENGTH else ""


def _is_from_proxy(environ: dict[str, Any]) -> bool:
    """Tell whether a trusted proxy asks."""
    return network.is_trusted_peer(
        environ.get("REMOTE_ADDR"), settings.TRUSTED_PROXIES.read()
    )


def _plain(text: str) -> str:
    """Return `text` as a header may carry it."""
    if text.isascii() and text.isprintable() and "%" not in text:
        return text
    return quote(text, safe=_PLAIN)

#!/usr/bin/env python3
"""Forward authentication: a proxy asks before it passes a request on.

It uses the same decision as the filter of the API. It answers 200 only if
the request identifies a user; every failure gives another status (fail
closed). It is a WSGI function in front of Flask, because a proxy calls it
for every request to the applications behind it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from vestibule.core import request_headers, settings
from vestibule.core.errors import VestibuleError
from vestibule.core.redirects import sign_in_url
from vestibule.http import errors
from vestibule.http.access import Outcome, authenticate, start_request
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.headers import (
    VERIFY_PATH,
    Headers,
    ResponseHeaders,
    add_headers,
)
from vestibule.http.request import VestibuleRequest
from vestibule.http.request_metrics import ROUTE_KEY
from vestibule.http.responses import (
    WSGIApplication,
    add_challenge,
    add_session_ended,
    json_response,
)
from vestibule.http.user_response import ResponseCache, UserResponse
from vestibule.identity.header import HEADER, Identity, IdentitySigner
from vestibule.mechanisms.auth import Auth

PATH = VERIFY_PATH
_PATHS = frozenset({PATH, f"{PATH}/"})
#: Body and headers of a response that identifies a user.
IdentityResponse = tuple[bytes, Headers]


class ForwardAuth:
    """Answers verify, and passes all other requests to `application`."""

    def __init__(
        self,
        application: WSGIApplication,
        mechanism: Callable[[], Auth | None],
        signer: IdentitySigner | None,
        headers: ResponseHeaders,
        cache: ResponseCache,
    ) -> None:
        """Stand before `application`, which sets its headers itself.

        `mechanism` returns the current mechanism.
        """
        self._application = application
        self._headers = headers
        self._mechanism = mechanism
        self._login_url = settings.LOGIN_URL.read()
        self._return_hosts = settings.ALLOWED_RETURN_HOSTS.read()
        self._signer = signer
        self._cache = cache

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer the request of `environ`."""
        if environ["PATH_INFO"] not in _PATHS:
            return self._application(environ, start_response)
        environ[ROUTE_KEY] = PATH
        identified: IdentityResponse | None = None
        try:
            cached = self._cache.find(environ)
            if cached is not None:
                identified = self._identify(cached, environ)
        except Exception:
            # Without the cache the same failure comes again and is reported.
            pass
        if identified is None:
            response = self._authenticate(VestibuleRequest(environ))
            if isinstance(response, MinimalResponse):
                return add_headers(response, self._headers)(
                    environ, start_response
                )
            identified = response
        body, headers = identified
        start_response("200 OK", headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)

    def _authenticate(
        self, request: VestibuleRequest
    ) -> MinimalResponse | IdentityResponse:
        """Return the response to a request; never raise."""
        try:
            return self._decide(request)
        except VestibuleError as error:
            return errors.error_response(error, request)
        except Exception:
            return errors.internal_error_response(request)

    def _decide(
        self, request: VestibuleRequest
    ) -> MinimalResponse | IdentityResponse:
        """Return the response of the user, or the refusal."""
        auth = self._mechanism()
        start_request(auth, request)
        if request.environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            response = json_response({"error": "Method Not Allowed"}, 405)
            response.headers["Allow"] = "GET, HEAD"
            return response
        decision = authenticate(auth, request)
        if decision.outcome is not Outcome.PASSED:
            return self._refuse(request)
        found = UserResponse.of(decision.principal, self._headers)
        if decision.known is not None:
            self._cache.add(request.environ, decision.known, found)
        return self._identify(found, request.environ)

    def _identify(
        self, user: UserResponse, environ: dict[str, Any]
    ) -> IdentityResponse:
        """Return the 200 response that identifies the user to the proxy."""
        own = self._headers.for_request(environ, is_page=False)
        if self._signer is not None:
            audience = request_headers.audience(environ)
            if audience:
                token = self._signer.token(Identity(*user.identity, audience))
                own.insert(0, (HEADER, token))
                return user.body, user.verify_headers[:-1] + own
        return user.body, user.verify_headers + own

    def _refuse(self, request: VestibuleRequest) -> MinimalResponse:
        """Return the response to a request that identifies no user.

        A browser that loads a page is redirected to the sign-in page, if
        the mechanism has logins. Other clients could not follow that.
        """
        response = add_session_ended(
            json_response({"error": "Unauthorized"}, 401),
            request.session_ended,
        )
        if (
            self._login_url is not None
            and request.sessions.has_login
            and _is_page_load(request)
        ):
            login_url = self._login_url
            if login_url == settings.LOGIN_URL.default:
                # `X-Forwarded-Prefix` is the application's prefix, not ours.
                login_url = f"{request.mount_path}{login_url}"
            response.headers["Location"] = sign_in_url(
                login_url,
                request_headers.forwarded_target(request.environ),
                self._return_hosts,
            )
            query = request.environ.get("QUERY_STRING", "")
            if "redirect=off" not in query.split("&"):
                response.status_code = 302
                return response
        return add_challenge(response, request.mechanism)


def _is_page_load(request: VestibuleRequest) -> bool:
    """Return True if a browser will show the response as a page.

    Current browsers send Fetch Metadata; for others `Accept` decides. A
    websocket begins with a GET too.
    """
    environ = request.environ
    if "HTTP_UPGRADE" in environ:
        return False
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return bool(mode == "navigate")
    return request.prefers_page

#!/usr/bin/env python3
"""May this request pass, as whom, and if not, why: pure policy.

Its law: it reads a request's path, headers and cookies through the
mechanism, and knows nothing of answers; who asks turns the outcome into
status codes.

How a request is judged, by the filter and by the gate alike.

The filter before each request: a decision becomes 401, 403 or a user.

What the policy forbids becomes 403, before anything else is looked at.

Its law: a view about other people's accounts asks here first, so that
nobody learns from an answer whether an account exists that is not theirs
to see.

The demand for a recent proof of identity, before what is sensitive.
"""

from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple

from flask import abort

from vestibule.accounts.credentials import is_recent_auth
from vestibule.accounts.permissions import (
    Action,
    Policy,
    is_allowed,
    is_disabled,
)
from vestibule.audit.log import EventType, begin_request, log
from vestibule.core import settings
from vestibule.core.client_info import UNKNOWN_CLIENT, ClientInfo, set_client
from vestibule.core.errors import ReauthenticationRequired
from vestibule.http.csrf import is_cross_site
from vestibule.http.request import (
    VestibuleRequest,
    current_actor,
    current_request,
)
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_cache import CachedSession, find_user

#: Paths that nobody needs to authenticate for.
EXCLUDED_PATHS = [
    "/api/v1/status/",
    "/api/v1/unauthorized/",
    "/api/v1/forbidden/",
    "/api/v1/auth_session/login/",
]
#: One of our own beyond the contract's: who forgot the password has the
#: code of an admin for a credential.
OPEN_PATHS = [*EXCLUDED_PATHS, "/api/v1/auth_session/reset/"]
#: Those outside of the API: public keys are for everybody, machines that
#: watch the service have no account, and what describes it has no secret.
OUTSIDE_PATHS = [
    "/.well-known/jwks.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/*",
]


class Outcome(Enum):
    """What was decided about a request."""

    OPEN = "no authentication is asked for"
    MISSING = "there is no credential"
    REFUSED = "the credential opens nothing"
    PASSED = "the credential names a user"


class Decision(NamedTuple):
    """The outcome, and the principal if the request passes as somebody.

    If it is refused for a session that ended, the reason for that: who
    has the secret of a session may know.
    """

    outcome: Outcome
    principal: Any = None
    reason: str | None = None
    #: What is remembered of the session, if anything is.
    known: CachedSession | None = None


_OPEN = Decision(Outcome.OPEN)
_MISSING = Decision(Outcome.MISSING)


def decide(auth: Auth | None, request: Any) -> Decision:
    """Return the decision of mechanism `auth` about `request`.

    Who is disabled passes by no mechanism.
    """
    if auth is None:
        return _OPEN
    path = request.path
    # Two lists, because the longer one takes time that each request has.
    inside = path is None or path.startswith("/api/")
    if not auth.require_auth(path, OPEN_PATHS if inside else OUTSIDE_PATHS):
        return _OPEN
    session_id = auth.session_cookie(request)
    if session_id is None and auth.authorization_header(request) is None:
        return _MISSING
    principal, known = find_user(auth, request, session_id)
    if principal is None or is_disabled(principal):
        why_refused = getattr(auth, "why_refused", None)
        reason = None if why_refused is None else why_refused(request)
        return Decision(Outcome.REFUSED, reason=reason)
    return Decision(Outcome.PASSED, principal, known=known)


def start_request(auth: Auth | None, request: VestibuleRequest) -> None:
    """Say which request is answered from now on, and who judges it.

    Threads are used again, so each request has to say it.
    """
    request.mechanism = auth
    set_client(_origin_of(request))
    begin_request(request)


def authenticate(auth: Auth | None, request: VestibuleRequest) -> Decision:
    """Return the decision of `auth` about a `request` that has begun."""
    decision = decide(auth, request)
    if decision.outcome is Outcome.REFUSED and hasattr(auth, "why_refused"):
        request.session_ended = decision.reason
        log(EventType.SESSION_REFUSED, reason=decision.reason)
    return decision


def _origin_of(request: VestibuleRequest) -> ClientInfo:
    """Return where a request comes from, if it may prove who sends it.

    What reads by a cookie alone shows no password, and is asked most.
    """
    environ = request.environ
    if (
        environ["REQUEST_METHOD"] == "GET"
        and "HTTP_AUTHORIZATION" not in environ
    ):
        return UNKNOWN_CLIENT
    return ClientInfo(request.client_address, request.client_program)


def require_authentication(
    auth: Auth | None, request: VestibuleRequest
) -> None:
    """Let `request` pass with its `current_user`, or abort it.

    401 if it has no credential at all, 403 if what it has opens nothing,
    or if another site made a browser send it.
    """
    check_request_origin(auth, request)
    decision = authenticate(auth, request)
    if decision.outcome is Outcome.MISSING:
        abort(401)
    if decision.outcome is Outcome.REFUSED:
        abort(403)
    request.current_user = decision.principal


def check_request_origin(auth: Auth | None, request: VestibuleRequest) -> None:
    """Note where `request` comes from; 403 if another site is behind it."""
    start_request(auth, request)
    if is_cross_site(request.method, request.headers, request.is_secure):
        log(EventType.CROSS_SITE_REFUSED, path=request.path)
        abort(403)


def authorize(action: Action, target_id: str | None = None) -> None:
    """Abort the request with 403 unless its user may do `action`."""
    policy = Policy(settings.AUTHZ_POLICY.read())
    if not is_allowed(current_actor(), action, target_id, policy):
        abort(403)


def require_recent_auth() -> None:
    """Raise `ProofTooOld` unless the password was proved within the window."""
    if not has_recent_auth():
        raise ReauthenticationRequired(
            "a proof of the password is missing or too old"
        )


def has_recent_auth() -> bool:
    """Tell whether the password was proved within the window.

    A request with a password of its own proves it itself; who is known by
    a session proved it when that was opened, or refreshed.
    """
    request = current_request()
    mechanism = request.mechanism
    if not isinstance(mechanism, SessionAuth):
        return True
    session_id = mechanism.session_cookie(request)
    session = None if session_id is None else mechanism.store.find(session_id)
    window = timedelta(seconds=settings.REAUTH_WINDOW.read())
    return session is not None and is_recent_auth(
        session.authenticated_at, window, mechanism.now()
    )

#!/usr/bin/env python3
"""Access control: authentication, authorization and recent authentication.

`decide` is the one decision about a request, for views, pages and forward
authentication. It reads the request through the mechanism and builds no
response; its callers turn the outcome into a status.
"""

from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, NoReturn

from flask import Request, abort

from vestibule.accounts.permissions import (
    Action,
    Policy,
    factor_deadline,
    is_allowed,
    is_disabled,
    must_confirm_email,
)
from vestibule.audit.log import EventType, begin_request, log
from vestibule.core import settings
from vestibule.core.access_settings import is_factor_required
from vestibule.core.application_hosts import is_for_host, may_use_path
from vestibule.core.client_info import (
    UNKNOWN_CLIENT,
    ClientInfo,
    clean_user_agent,
    set_client,
)
from vestibule.core.errors import FactorRequired
from vestibule.core.request_headers import check, is_tls, own_hosts
from vestibule.db.host_sessions import is_host_session_id
from vestibule.http.csrf import (
    SAFE_METHODS,
    cross_site_error,
    is_cross_site,
    is_listed_origin,
)
from vestibule.http.middleware import API_PREFIX
from vestibule.http.request import (
    VestibuleRequest,
    client_info,
    current_actor,
    current_request,
)
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_cache import CachedSession, find_user
from vestibule.mechanisms.session_mechanism import sessions_of
from vestibule.sessions.facts import (
    is_recovery_over,
)
from vestibule.sessions.session import Session

#: Paths that need no authentication, as the contract lists them.
EXCLUDED_PATHS = [
    "/api/v1/status/",
    "/api/v1/unauthorized/",
    "/api/v1/forbidden/",
    "/api/v1/auth_session/login/",
]
#: More of the API: a code, a link, a passkey or another cookie is enough.
OPEN_PATHS = [
    *EXCLUDED_PATHS,
    "/api/v1/auth_session/reset/",
    "/api/v1/auth_session/forgot/",
    "/api/v1/auth_session/confirm/",
    "/api/v1/auth_session/undo/",
    "/api/v1/auth_session/second-factor*",
    "/api/v1/auth_session/passkey*",
    "/api/v1/auth_session/factor-reset/",
]
#: The paths that a session may use after a recovery code, or before the
#: second factor that is required of its user.
LIMITED_PATHS = (
    "/api/v1/auth_session/factors/",
    "/api/v1/auth_session/recovery-codes/",
    "/api/v1/auth_session/logout/",
)
#: To add a factor, users confirm their password; after a recovery they
#: need not, and cannot.
REAUTH_PATH = "/api/v1/auth_session/refresh/"
#: Open paths outside of the API: public keys are public, monitoring has no
#: account, and the API's description contains no secret.
OUTSIDE_PATHS = [
    "/.well-known/jwks.json",
    "/.well-known/webauthn",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/*",
]


class Outcome(Enum):
    """The result of authenticating a request."""

    OPEN = "no authentication is required"
    MISSING = "there is no credential"
    REFUSED = "the credential is not valid"
    PASSED = "the credential identifies a user"


class Limit(Enum):
    """Why a live session can do little but set up a second factor."""

    RECOVERED = "a recovery code replaced the second factor"
    FACTOR_REQUIRED = "a second factor is required of the user"


class Decision(NamedTuple):
    """The outcome, and the user if the request is authenticated."""

    outcome: Outcome
    principal: Any = None
    #: Why the session ended, if the request is refused for that. Only a
    #: client that has the session's secret id is told.
    reason: str | None = None
    #: The cache entry of the session, if there is one.
    known: CachedSession | None = None
    #: The session, if it was loaded on the way.
    session: Session | None = None
    #: The user of a live session that may not be used for this request of
    #: the API, and why; the pages have paths of their own.
    limited: Any = None
    limit: Limit | None = None


_OPEN = Decision(Outcome.OPEN)
_MISSING = Decision(Outcome.MISSING)


def decide(auth: Auth | None, request: Any) -> Decision:
    """Return the decision of mechanism `auth` about `request`.

    A disabled user is refused under every mechanism.
    """
    if auth is None:
        return _OPEN
    path = request.path
    # Two lists, because matching the longer one takes time per request.
    inside = path is None or path.startswith("/api/")
    if not auth.require_auth(path, OPEN_PATHS if inside else OUTSIDE_PATHS):
        return _OPEN
    return identify(auth, request)


def identify(auth: Auth, request: Any) -> Decision:
    """Return the decision about the credential of a request, at any path."""
    session_id = auth.session_cookie(request)
    if session_id is None and auth.authorization_header(request) is None:
        return _MISSING
    user, known, session = find_user(auth, request, session_id)
    if not _counts_here(auth, request, session_id, session):
        user = None
    sessions, limit = sessions_of(auth), None
    if user is not None and session_id is not None:
        begun: Session | None = session or sessions.store.find(session_id)
        # The sessions of an application's own store may have no such fact.
        if begun is not None and getattr(begun, "recovered", False):
            if is_recovery_over(begun, sessions.now()):
                user = None
            limit = Limit.RECOVERED
        elif begun is not None and not is_disabled(user):
            now = sessions.now()
            due = _factor_deadline(user, begun, now)
            if due is not None:
                # A cached response would be sent after the deadline too.
                known = None
                limit = Limit.FACTOR_REQUIRED if due <= now else None
    if (
        user is None
        or is_disabled(user)
        # With sessions, the login has checked it.
        or (not sessions.has_login and must_confirm_email(user))
    ):
        reason = sessions.why_refused(request)
        return Decision(Outcome.REFUSED, reason=reason)
    if limit is not None and not _is_open_to(limit, request):
        return Decision(
            Outcome.REFUSED,
            reason=sessions.why_refused(request),
            known=known,
            session=session,
            limited=user,
            limit=limit,
        )
    return Decision(Outcome.PASSED, user, known=known, session=session)


def _factor_deadline(
    user: Any, session: Session, now: datetime
) -> datetime | None:
    """Return when the session needs a second factor, if it does.

    The sessions of an application's own store may not have the facts.
    """
    if not hasattr(session, "second_factor_at"):
        return now if is_factor_required(getattr(user, "role", None)) else None
    return factor_deadline(user, session, now)


def _is_open_to(limit: Limit, request: Any) -> bool:
    """Return True if a limited session may be used for this request.

    It may enroll, replace or remove a factor, or log out; a recovered one
    for `RECOVERY_LIFETIME`. It is no sign-in for forward authentication.
    """
    path = f"{(request.path or '').rstrip('/')}/"
    if limit is Limit.FACTOR_REQUIRED and path == REAUTH_PATH:
        return True
    return path.startswith(LIMITED_PATHS)


def _counts_here(
    auth: Auth, request: Any, session_id: str | None, session: Session | None
) -> bool:
    """Return True unless the session is of an application's other host.

    Such a session identifies the user on its host, and does nothing else.
    """
    if session_id is None or not is_host_session_id(session_id):
        return True
    if session is None:
        # A mechanism of an application's own found the user.
        session = sessions_of(auth).store.find(session_id)
    return (
        session is not None
        and session.host is not None
        and is_for_host(session.host, request.environ)
        and may_use_path(request.method, request.path)
    )


def start_request(auth: Auth | None, request: VestibuleRequest) -> None:
    """Set the mechanism of `request`, and its client for the log.

    Threads are reused, so each request has to set these. Raise
    `UnreadableHeader`, a 400, for a header that
    `vestibule.core.request_headers` cannot use.
    """
    request.mechanism = auth
    set_client(_client_info_if_needed(request))
    begin_request(request)
    check(request.environ)


def authenticate(auth: Auth | None, request: VestibuleRequest) -> Decision:
    """Return the decision about a started `request`, and keep its session."""
    return keep(decide(auth, request), request)


def keep(decision: Decision, request: VestibuleRequest) -> Decision:
    """Keep on `request` what a decision found, and log a refusal."""
    if decision.outcome is Outcome.PASSED:
        request.cached_session = decision.known
        if decision.session is not None:
            request.session = decision.session
    elif decision.outcome is Outcome.REFUSED and request.sessions.has_login:
        request.session_ended = decision.reason
        log(EventType.SESSION_REFUSED, reason=decision.reason)
    return decision


def require_authentication(
    auth: Auth | None, request: VestibuleRequest
) -> None:
    """Set the `current_user` of `request`, or abort it.

    401 if it has no credential at all. 403 if its credential is not valid,
    or if another site made a browser send it.
    """
    check_request_origin(auth, request)
    decision = authenticate(auth, request)
    if decision.outcome is Outcome.MISSING:
        abort(401)
    if decision.limit is Limit.FACTOR_REQUIRED:
        raise FactorRequired
    if decision.outcome is Outcome.REFUSED:
        abort(403)
    request.current_user = decision.principal


def check_request_origin(auth: Auth | None, request: VestibuleRequest) -> None:
    """Start `request`; abort with 403 if another site caused it."""
    start_request(auth, request)
    refuse_cross_site(request)


def refuse_cross_site(request: Request) -> None:
    """Raise a 403 if another site made a browser send `request`.

    Pages of an origin in `CORS_ORIGINS` may use the API, but no form. The
    log has the `Origin` of the browser, if the request was refused for it,
    and the host of this service, which shows if a proxy rewrites `Host`.
    """
    if request.method in SAFE_METHODS:
        return
    environ, headers = request.environ, request.headers
    hosts = own_hosts(environ)
    if is_cross_site(request.method, headers, is_tls(environ), hosts) and not (
        request.path.startswith(API_PREFIX)
        and is_listed_origin(headers.get("Origin"))
    ):
        error = cross_site_error(headers, hosts)
        log(
            EventType.CROSS_SITE_REFUSED,
            path=request.path,
            origin=clean_user_agent(error.origin),
            host=clean_user_agent(" ".join(hosts)),
        )
        raise error


def authorize(action: Action, target_id: str | None = None) -> None:
    """Abort with 403, and log it, unless the current user may do `action`.

    Call this before looking the target up: then the response does not
    reveal whether an account exists that the user may not see.
    """
    policy = Policy(settings.AUTHZ_POLICY.read())
    actor = current_actor()
    if not is_allowed(actor, action, target_id, policy):
        deny("policy", actor.id)


def deny(reason: str, user_id: str | None = None) -> NoReturn:
    """Log that the current request is refused, and abort it with 403."""
    log(
        EventType.ACCESS_DENIED,
        user=user_id,
        reason=reason,
        path=current_request().path,
    )
    abort(403)


def may_change_email() -> bool:
    """Return True if the current user may change their own email."""
    if settings.EMAIL_CHANGE.read() == "self":
        return True
    actor, policy = current_actor(), Policy(settings.AUTHZ_POLICY.read())
    return is_allowed(actor, Action.SET_EMAIL, actor.id, policy)


def require_email_permission() -> None:
    """Abort with 403, and log it, unless users may change their email."""
    if not may_change_email():
        deny("email_change", current_actor().id)


def _client_info_if_needed(request: VestibuleRequest) -> ClientInfo:
    """Return the client of a request that may carry a password.

    A GET with only a cookie carries none, and is the most frequent.
    """
    environ = request.environ
    if (
        environ["REQUEST_METHOD"] == "GET"
        and "HTTP_AUTHORIZATION" not in environ
    ):
        return UNKNOWN_CLIENT
    return client_info(environ)

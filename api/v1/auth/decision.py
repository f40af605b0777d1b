#!/usr/bin/env python3
"""May this request pass, as whom, and if not, why: pure policy.

Its law: it reads a request's path, headers and cookies through the
mechanism, and knows nothing of answers; who asks turns the outcome into
status codes.
"""

from enum import Enum
from typing import Any, NamedTuple

from api.v1.auth.auth import Auth
from api.v1.auth.recent import Known, find_user
from vestibule.accounts.disabling import is_disabled

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
    known: Known | None = None


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

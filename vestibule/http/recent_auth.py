#!/usr/bin/env python3
"""Recent authentication: what requires it, and confirming it again.

A user confirms it by the password or a factor; either is enough. The
session then gets a new id and stays the same session; its facts get the
new proof.
"""

from datetime import timedelta

from vestibule.accounts.credentials import reauthenticate
from vestibule.accounts.passkeys import REAUTHENTICATE, Answer, check_proof
from vestibule.accounts.second_factors import check_second_factor
from vestibule.audit.log import EventType, log
from vestibule.core import settings
from vestibule.core.assurance import is_recent_auth
from vestibule.core.errors import ReauthenticationRequired
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.http.request import (
    VestibuleRequest,
    current_actor,
    current_request,
)
from vestibule.sessions.facts import (
    Proof,
    facts_of_session,
    has_second_factor,
)


def require_recent_auth() -> None:
    """Raise `ReauthenticationRequired` unless authentication is recent."""
    if not has_recent_auth():
        log(
            EventType.ACCESS_DENIED,
            user=current_actor().id,
            reason="reauthentication_required",
            path=current_request().path,
        )
        raise ReauthenticationRequired(
            "the password was not confirmed recently"
        )


def missing_factor_proof() -> str | None:
    """Return what the user must confirm before factors may be changed.

    That is "password" or "factor"; `None` if nothing is missing. One of
    both must have been confirmed recently. A user who has factors must have
    given one in this session, or a recovery code: a stolen password alone
    removes no factor. A recovered session is short enough, and can confirm
    no password.
    """
    session, user_id = current_request().session, current_actor().id
    if session is not None and session.recovered:
        return None
    is_given = session is not None and (
        has_second_factor(facts_of_session(session))
    )
    if not is_given and user_id is not None and factors.has_any(user_id):
        return "factor"
    return None if has_recent_auth() else "password"


def require_factor_proof() -> None:
    """Raise `ReauthenticationRequired` unless factors may be changed now.

    `missing_factor_proof` has the rule.
    """
    if missing_factor_proof() is not None:
        require_recent_auth()
        raise ReauthenticationRequired(
            "no second factor was given in this session"
        )


def has_recent_auth() -> bool:
    """Return True if a password or factor was given in `REAUTH_WINDOW`.

    A request with HTTP Basic has the password. A session records when one of
    them was last given (ASVS 5.0, 7.5.1 and 7.5.3).
    """
    return is_recently_authenticated(current_request())


def is_recently_authenticated(request: VestibuleRequest) -> bool:
    """Return True if the last proof of an authenticated request is recent."""
    sessions = request.sessions
    if not sessions.has_store:
        return True
    session = request.session
    window = timedelta(seconds=settings.REAUTH_WINDOW.read())
    return session is not None and is_recent_auth(
        session.authenticated_at, window, sessions.now()
    )


def reauthenticate_user(user: User, password: str) -> str | None:
    """Confirm the password of the request's user.

    Return the new id of the request's session: the old one, which may
    have been stolen, stops working (ASVS 5.0, 7.2.4). Return `None` if the
    session ended meanwhile. Raise what `reauthenticate` raises.
    """
    reauthenticate(user, password, actor=current_actor())
    return renew_session()


def reauthenticate_by_code(user: User, code: str) -> str | None:
    """Confirm a code of an app of the request's user.

    It counts where the password would. Return the new id of the session,
    as `reauthenticate_user` does; raise what `check_second_factor` raises.
    """
    proof = check_second_factor(user, code)
    log(EventType.REAUTHENTICATED, user=user.id)
    return renew_session(proof)


def reauthenticate_by_passkey(user: User, answer: Answer) -> str | None:
    """Confirm a passkey of the request's user, by what it answered.

    It counts where the password would. Return the new id of the session,
    as `reauthenticate_user` does; raise `PasskeyRefused`.
    """
    proof = check_proof(user, REAUTHENTICATE, answer)
    log(EventType.REAUTHENTICATED, user=user.id)
    return renew_session(proof)


def renew_session(
    proof: Proof | None = None, session_id: str | None = None
) -> str | None:
    """Give the request's session a new id, authenticated now.

    `proof` is added to its facts; `session_id` is the id that this request
    gave it already. Return `None` if the session ended meanwhile.
    """
    request = current_request()
    current = session_id or request.sessions.session_cookie(request)
    if current is None:
        return None
    return request.sessions.store.rotate(
        current, request.sessions.now(), proof
    )

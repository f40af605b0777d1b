#!/usr/bin/env python3
"""Confirm again who the user of a session is: by the password or a factor.

Either is enough for what asks for recent authentication. The session gets a
new id and stays the same session; its facts get the new proof.
"""

from vestibule.accounts.credentials import reauthenticate
from vestibule.accounts.second_factors import check_second_factor
from vestibule.audit.log import EventType, log
from vestibule.db.models.user import User
from vestibule.http.request import current_actor, current_request
from vestibule.sessions.facts import Proof


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

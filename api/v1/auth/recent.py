#!/usr/bin/env python3
"""Sessions that were found live a moment ago, and need no second look.

Its law: what is remembered counts only while nothing at all was written
to the database since, by whomever, and before any limit of the session:
so an ended session is out at the next request, on every worker. It saves
the look-up and nothing else; the rules of lifetime stand where they do.
"""

from datetime import datetime
from typing import Any, NamedTuple

from api.v1.auth.session_db_auth import SessionDBAuth
from models.engine import database
from models.identity import OneRead, recall
from models.user import User
from models.user_session import UserSession
from vestibule.sessions.lifetime import Limits, unchanged_until

_CURRENT_USER = SessionDBAuth.current_user
_USER_ID = SessionDBAuth.user_id_for_session_id
#: Sessions that are remembered at once: some kilobytes each.
MOST = 10_000


class Known(NamedTuple):
    """Whose session it is, and for how long that need not be asked."""

    generation: int
    since: datetime
    until: datetime
    limits: Limits
    user: User
    #: What was made of the user, by name: as good as the rest.
    made: dict[str, Any]


class Found(NamedTuple):
    """The principal of a request, and what is remembered of it."""

    user: Any
    known: Known | None = None


_known: dict[str, Known] = {}


def find_user(auth: Any, request: Any, session_id: str | None) -> Found:
    """Find the principal of `request`, as `auth.current_user` would.

    `session_id` is what its cookie has.
    """
    if session_id is None or not _is_own(auth):
        return Found(auth.current_user(request))
    generation = database().generation()
    if generation is None:
        return Found(auth.current_user(request))
    now, limits = auth.now(), auth.limits()
    known = _counting(session_id, generation, now, limits)
    if known is not None:
        # Views may change what they are given.
        return Found(known.user.twin(), known)
    with OneRead():
        user = auth.current_user(request)
        session = recall(UserSession, session_id)
    if user is None or session is None:
        _known.pop(session_id, None)
        return Found(user)
    if len(_known) >= MOST:
        _known.clear()
    until = unchanged_until(session, limits)
    fresh = Known(generation, now, until, limits, user.twin(), {})
    _known[session_id] = fresh
    return Found(user, fresh)


def needs_look_up(auth: Any, session_id: str) -> bool:
    """Tell whether `find_user` would look this session up."""
    generation = database().generation() if _is_own(auth) else None
    return generation is None or None is _counting(
        session_id, generation, auth.now(), auth.limits()
    )


def _counting(
    session_id: str, generation: int, now: datetime, limits: Limits
) -> Known | None:
    """Return what is remembered of a session, if it still counts."""
    known = _known.get(session_id)
    if (
        known is not None
        and known.generation == generation
        and known.since <= now < known.until
        and known.limits is limits
    ):
        return known
    return None


def _is_own(auth: Any) -> bool:
    """Tell whether `auth` finds users as it does where it is written.

    Of subclasses, and where somebody put a method of theirs in the place
    of one, the rules are not known here: they are asked each time.
    """
    if type(auth) is not SessionDBAuth:
        return False
    own = vars(auth)
    return (
        SessionDBAuth.current_user is _CURRENT_USER
        and SessionDBAuth.user_id_for_session_id is _USER_ID
        and "current_user" not in own
        and "user_id_for_session_id" not in own
    )

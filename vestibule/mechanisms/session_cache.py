#!/usr/bin/env python3
"""Sessions that were found live a moment ago, and need no second look.

Its law: what is remembered counts only while nothing at all was written
to the database since, by whomever, and before any limit of the session:
so an ended session is out at the next request, on every worker. It saves
the look-up and nothing else; the rules of lifetime stand where they do.
"""

from collections.abc import Hashable
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from vestibule.db.engine import database, peek_change_token
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.lifetime import Limits, unchanged_until

#: The methods that decide whose a request is, as they are written.
_RULES = (
    "current_user",
    "user_id_for_session_id",
    "session_cookie",
    "require_auth",
)
_WRITTEN = tuple(getattr(SessionDBAuth, name) for name in _RULES)
_as_written = attrgetter(*_RULES)
#: Sessions that are remembered at once: some kilobytes each.
MAX_CACHED_SESSIONS = 10_000


class CachedSession(NamedTuple):
    """Whose session it is, and for how long that need not be asked."""

    generation: Hashable
    since: datetime
    until: datetime
    limits: Limits
    user: User
    #: What was made of the user, by name: as good as the rest.
    made: dict[str, Any]


class FoundUser(NamedTuple):
    """The principal of a request, and what is remembered of it."""

    user: Any
    known: CachedSession | None = None


_known: dict[str, CachedSession] = {}


def find_user(auth: Any, request: Any, session_id: str | None) -> FoundUser:
    """Find the principal of `request`, as `auth.current_user` would.

    `session_id` is what its cookie has.
    """
    if session_id is None or not _is_own(auth):
        return FoundUser(auth.current_user(request))
    known = _known.get(session_id)
    if known is not None and _holds(auth, known, database().change_token()):
        # Views may change what they are given.
        return FoundUser(known.user.copy(), known)
    # Before the look-up: what is written after it counts as later.
    generation = database().change_token()
    if generation is None:
        return FoundUser(auth.current_user(request))
    now, limits = auth.now(), auth.limits()
    with IdentityMap():
        user = auth.current_user(request)
        session = IdentityMap.get(UserSession, session_id)
    if user is None or session is None:
        _known.pop(session_id, None)
        return FoundUser(user)
    if len(_known) >= MAX_CACHED_SESSIONS:
        _known.clear()
    until = unchanged_until(session, limits)
    fresh = CachedSession(generation, now, until, limits, user.copy(), {})
    _known[session_id] = fresh
    return FoundUser(user, fresh)


def is_valid(auth: Any, known: CachedSession) -> bool:
    """Tell whether `auth` would find again what is `known`.

    For the same cookies under the same name, and if it reads those as
    here; then whoever keeps what was made of them need not ask.
    """
    return _is_own(auth) and _holds(auth, known, database().change_token())


def _holds(
    auth: SessionDBAuth, known: CachedSession, generation: Hashable | None
) -> bool:
    """Tell whether nothing was written since, and no limit is reached.

    `generation` is what the database has by now.
    """
    return (
        known.generation == generation
        and known.limits is auth.limits()
        and known.since <= auth.now() < known.until
    )


def needs_lookup(auth: Any, session_id: str) -> bool:
    """Tell whether `find_user` would look this session up, or might wait.

    Nothing is asked here: who wants to know must not wait for an answer.
    """
    known = _known.get(session_id)
    return known is None or not (
        _is_own(auth) and _holds(auth, known, peek_change_token())
    )


def _is_own(auth: Any) -> bool:
    """Tell whether `auth` finds users as it does where it is written.

    Of subclasses, and where somebody put a method of theirs in the place
    of one, the rules are not known here: they are asked each time.
    """
    if type(auth) is not SessionDBAuth:
        return False
    return _as_written(SessionDBAuth) == _WRITTEN and vars(
        auth
    ).keys().isdisjoint(_RULES)

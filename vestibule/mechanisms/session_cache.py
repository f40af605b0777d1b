#!/usr/bin/env python3
"""A cache of sessions that were valid a moment ago.

Invariant: a cached session counts only while nothing at all was written to
the database since, by any process, and before any limit of the session. So
a session that ended is refused at the next request, on every worker. The
cache saves the query and nothing else; the rules of a session's lifetime
are in `vestibule.sessions.lifetime`.
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

#: The methods that decide which user a request belongs to.
_METHODS = (
    "current_user",
    "user_id_for_session_id",
    "session_cookie",
    "require_auth",
)
_ORIGINALS = tuple(getattr(SessionDBAuth, name) for name in _METHODS)
_methods_of = attrgetter(*_METHODS)
#: Sessions in the cache; each takes some kilobytes.
MAX_CACHED_SESSIONS = 10_000


class CachedSession(NamedTuple):
    """A session, its user, and the conditions under which both hold."""

    generation: Hashable
    since: datetime
    until: datetime
    limits: Limits
    user: User
    session: UserSession
    #: What was derived from the user, by name; valid for as long.
    made: dict[str, Any]


class FoundUser(NamedTuple):
    """The user of a request, with the session and its cache entry if any."""

    user: Any
    known: CachedSession | None = None
    session: UserSession | None = None


_known: dict[str, CachedSession] = {}


def find_user(auth: Any, request: Any, session_id: str | None) -> FoundUser:
    """Find the user of `request`, as `auth.current_user` would.

    `session_id` is the value of its session cookie.
    """
    if session_id is None or not _is_original(auth):
        return FoundUser(auth.current_user(request))
    known = _known.get(session_id)
    if known is not None and _holds(auth, known, database().change_token()):
        # Views may change the user that they are given.
        return FoundUser(known.user.copy(), known, known.session)
    # Read before the query: what is written after it counts as later.
    generation = database().change_token()
    now, limits = auth.now(), auth.limits()
    with IdentityMap():
        user = auth.current_user(request)
        session = IdentityMap.get(UserSession, session_id)
    if user is None or session is None:
        _known.pop(session_id, None)
        return FoundUser(user)
    if generation is None:
        return FoundUser(user, session=session)
    if len(_known) >= MAX_CACHED_SESSIONS:
        _known.clear()
    until = unchanged_until(session, limits)
    fresh = CachedSession(
        generation, now, until, limits, user.copy(), session, {}
    )
    _known[session_id] = fresh
    return FoundUser(user, fresh, session)


def is_valid(auth: Any, known: CachedSession) -> bool:
    """Return True if `auth` would find `known` again.

    This holds for the same cookies under the same cookie name, if `auth`
    has the original methods.
    """
    return _is_original(auth) and _holds(
        auth, known, database().change_token()
    )


def needs_lookup(auth: Any, session_id: str) -> bool:
    """Return True if `find_user` would query the database, or might wait.

    This function itself never waits.
    """
    known = _known.get(session_id)
    return known is None or not (
        _is_original(auth) and _holds(auth, known, peek_change_token())
    )


def _holds(
    auth: SessionDBAuth, known: CachedSession, generation: Hashable | None
) -> bool:
    """Return True if nothing was written since, and no limit is reached.

    `generation` is the database's current one.
    """
    return (
        known.generation == generation
        and known.limits is auth.limits()
        and known.since <= auth.now() < known.until
    )


def _is_original(auth: Any) -> bool:
    """Return True if `auth` finds users by the original methods.

    A subclass, or an object or class with a replaced method, may use other
    rules. Its methods are called for each request.
    """
    if type(auth) is not SessionDBAuth:
        return False
    return _methods_of(SessionDBAuth) == _ORIGINALS and vars(
        auth
    ).keys().isdisjoint(_METHODS)

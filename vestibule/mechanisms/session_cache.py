#!/usr/bin/env python3
"""A cache of sessions that were valid a moment ago.

Invariant: a cached session is used only if no process has changed or
deleted a user or a session since, and no limit of the session is reached.
So a session that ended is refused at the next request, on every worker. The
cache saves only the query; the rules of a session's lifetime are in
`vestibule.sessions.lifetime`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from vestibule.core import settings
from vestibule.db.engine import database, peek_change_token
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.lifetime import (
    Limits,
    expires_at,
    is_touch_due,
    unchanged_until,
)
from vestibule.sessions.session import Session

#: The methods that decide which user a request belongs to.
_METHODS = (
    "current_user",
    "user_id_for_session_id",
    "session_cookie",
    "require_auth",
)
_ORIGINALS = tuple(getattr(SessionDBAuth, name) for name in _METHODS)
_methods_of = attrgetter(*_METHODS)
T = TypeVar("T")


class RecentEntries(Generic[T]):
    """Entries by text; the most recently used half is never dropped.

    There are two dictionaries. New and used entries go to the recent one.
    When that has half of the allowed entries, it replaces the older one,
    whose entries are dropped: they were not used since. So an access costs
    one or two look-ups, and an entry in use stays, however many are added.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        """Begin empty, with at most `limit()` entries."""
        self._limit = limit
        self._lock = threading.Lock()
        self._recent: dict[str, T] = {}
        self._older: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        """Return the entry for a key, or `None`; it counts as used now."""
        found = self._recent.get(key)
        if found is None:
            found = self._older.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: str, entry: T) -> None:
        """Keep an entry; drop the older half if there are too many."""
        with self._lock:
            if len(self._recent) >= self._limit() // 2:
                self._older, self._recent = self._recent, {}
            self._recent[key] = entry

    def drop(self, key: str) -> None:
        """Forget the entry for a key, if there is one."""
        self._recent.pop(key, None)
        self._older.pop(key, None)

    def clear(self) -> None:
        """Forget all entries."""
        self._recent, self._older = {}, {}

    def __len__(self) -> int:
        """Return the number of different entries."""
        return len(self._recent.keys() | self._older.keys())


@dataclass(slots=True)
class CachedSession:
    """A session, its user, and the conditions under which both are valid."""

    id: str = field(repr=False)
    change_token: str
    since: datetime
    #: When the next use has to be recorded, or the session ends.
    until: datetime
    limits: Limits
    user: User
    session: UserSession
    #: Values derived from the user, by name; valid as long as the user is.
    made: dict[str, Any] = field(default_factory=dict)


class FoundUser(NamedTuple):
    """The user of a request, with the session and its cache entry if any."""

    user: Any
    known: CachedSession | None = None
    session: Session | None = None


_known: RecentEntries[CachedSession] = RecentEntries(
    settings.SESSION_CACHE_MAX.read
)


def find_user(auth: Any, request: Any, session_id: str | None) -> FoundUser:
    """Find the user of `request`, as `auth.current_user` would.

    `session_id` is the value of its session cookie.
    """
    if session_id is None:
        return FoundUser(auth.current_user(request))
    if not _is_original(auth):
        with IdentityMap():
            user = auth.current_user(request)
            found = IdentityMap.get(Session, session_id)
        return FoundUser(user, session=found)
    known = _known.get(session_id)
    if known is not None and _holds(auth, known, database().change_token()):
        # Views may change the user that they are given.
        return FoundUser(known.user.copy(), known, known.session)
    # The token is read before the query, so that a write between the two
    # makes the entry invalid.
    token = database().change_token()
    now, limits = auth.now(), auth.limits()
    with IdentityMap():
        user = auth.current_user(request)
        session = IdentityMap.get(UserSession, session_id)
    if user is None or session is None:
        _known.drop(session_id)
        return FoundUser(user)
    if is_touch_due(session, limits, now):
        # The mechanism has recorded this use.
        session.last_seen_at = now
    if token is None:
        return FoundUser(user, session=session)
    until = unchanged_until(session, limits)
    fresh = CachedSession(
        session_id, token, now, until, limits, user.copy(), session
    )
    _known.put(session_id, fresh)
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
    return (
        known is None
        or not _is_original(auth)
        or known.change_token != peek_change_token()
        or known.limits is not auth.limits()
        or not known.since <= auth.now() < known.until
    )


def _holds(
    auth: SessionDBAuth, known: CachedSession, token: str | None
) -> bool:
    """Return True if no user or session changed, and no limit is reached.

    `token` is the database's current one. The use is recorded if that is
    due.
    """
    if known.change_token != token or known.limits is not auth.limits():
        return False
    now = auth.now()
    return known.since <= now and (
        now < known.until or _record_use(auth, known, now)
    )


def _record_use(
    auth: SessionDBAuth, known: CachedSession, now: datetime
) -> bool:
    """Record the use at `now`; return False if the session may have ended.

    Nothing is read: while the change token is the same, the session is
    stored as it is known, except for later uses.
    """
    ends = expires_at(known.session, known.limits)
    if ends is not None and now >= ends:
        return False
    auth.store.touch(known.id, now)
    known.session.last_seen_at = now
    known.until = unchanged_until(known.session, known.limits)
    return True


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

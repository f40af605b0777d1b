#!/usr/bin/env python3
"""Sessions in the database, found by the digests of their secret ids."""

import re
from datetime import datetime, timedelta, timezone

from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.db import (
    host_sessions,
    session_queries,
    session_search,
    session_touches,
)
from vestibule.db.host_sessions import is_host_session_id
from vestibule.db.keyset import Cursor
from vestibule.db.models.base import is_storable
from vestibule.db.models.user_session import UserSession
from vestibule.db.session_search import SessionQuery
from vestibule.sessions.facts import Proof, facts_of_session
from vestibule.sessions.lifetime import Limits, oldest_valid
from vestibule.sessions.session import EndReason, new_session_id
from vestibule.sessions.store import REASON_LIFETIME, SessionPage, SortedPage
from vestibule.sessions.sweeper import touch_writer

#: A cursor in a list of sessions: microseconds since 1970 and a handle.
_CURSOR = re.compile(r"(-?\d{1,18})-(.+)", re.ASCII | re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class DatabaseStore:
    """The sessions that are `UserSession` rows."""

    in_database = True

    def find(self, session_id: str) -> UserSession | None:
        """Return the session with this secret id, expired or not."""
        return UserSession.find(session_id)

    def page(
        self,
        user_id: str | None,
        limit: int,
        cursor: str | None = None,
        network: str | None = None,
    ) -> SessionPage:
        """Return at most `limit` sessions, after a cursor or the newest."""
        found = UserSession.newest(
            user_id, limit + 1, _parse_cursor(cursor), network
        )
        if len(found) <= limit:
            return SessionPage(found, None)
        return SessionPage(found[:limit], _cursor_after(found[limit - 1]))

    def search(
        self, query: SessionQuery, limit: int, cursor: Cursor | None = None
    ) -> SortedPage:
        """Return at most `limit` sessions after or before a cursor."""
        found = session_search.search_page(query, limit, cursor)
        return SortedPage(
            [UserSession._from_row(row) for row in found.rows],
            found.next,
            found.previous,
        )

    def find_by_handle(self, handle: str) -> UserSession | None:
        """Return the row with this id."""
        return UserSession.get(handle)

    def count(self) -> int:
        """Return the number of rows."""
        return UserSession.count()

    def touch(self, session_id: str, now: datetime) -> None:
        """Record a use; a session that ended meanwhile stays ended."""
        digest: str | None = digest_of(session_id)
        if is_host_session_id(session_id):
            # A use of an application is a use of the session it hangs on.
            digest = host_sessions.parent_digest(digest_of(session_id))
        if digest is not None:
            session_touches.PENDING_TOUCHES.add(digest, now)
            touch_writer().notify()

    def rotate(
        self, session_id: str, now: datetime, proof: Proof | None = None
    ) -> str | None:
        """Give a session a new secret id, authenticated at `now`."""
        new_id, facts = new_session_id(), None
        if proof is not None:
            session = UserSession.find(session_id)
            if session is None:
                return None
            facts = facts_of_session(session).with_proof(proof).stored()
        rotated = session_queries.rotate(
            digest_of(session_id), digest_of(new_id), now, facts
        )
        return new_id if rotated else None

    def end(self, session_id: str, reason: EndReason) -> bool:
        """End the session; return True if there was one.

        One of an application's host ends with the session it hangs on.
        """
        if is_host_session_id(session_id):
            return host_sessions.delete_by_digest(
                digest_of(session_id), reason
            )
        return session_queries.delete_by_digest(digest_of(session_id), reason)

    def end_by_handle(
        self, handle: str, reason: EndReason, user_id: str | None = None
    ) -> bool:
        """End the session with this handle, if it is one of the user's."""
        return session_queries.delete_by_handle(handle, reason, user_id)

    def end_all(
        self,
        reason: EndReason,
        user_id: str | None = None,
        keep: str | None = None,
    ) -> int:
        """End the user's sessions, or all, except the one to keep."""
        return session_queries.delete_for_user(reason, user_id, keep)

    def reason(self, session_id: str) -> EndReason | None:
        """Return why the session ended, if that was in the last day."""
        since = clock.now() - REASON_LIFETIME
        found = session_queries.end_reason(digest_of(session_id), since)
        return None if found is None else EndReason(found)

    def purge(self, limits: Limits, now: datetime) -> int:
        """Delete the sessions expired at `now`; return how many."""
        # A session is not idle if its last use waits to be written.
        session_touches.PENDING_TOUCHES.write()
        begun, seen = oldest_valid(limits, now)
        gone = 0
        if begun is not None:
            gone += session_queries.delete_created_before(
                begun, EndReason.EXPIRED
            )
        if seen is not None:
            gone += session_queries.delete_idle_since(
                seen, EndReason.IDLE_TIMEOUT
            )
        session_queries.purge_end_reasons(now - REASON_LIFETIME)
        host_sessions.purge_codes(now)
        return gone


def _cursor_after(session: UserSession) -> str:
    """Return the cursor after a session."""
    number = (session.created_at - _EPOCH) // timedelta(microseconds=1)
    return f"{number}-{session.id}"


def _parse_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the time and the handle of a cursor, if it is valid."""
    found = _CURSOR.fullmatch(cursor or "")
    if found is None or not is_storable(found[2]):
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(found[1])), found[2]
    except OverflowError:
        return None

#!/usr/bin/env python3
"""Sessions in the database, found by the digests of their secret ids."""

from collections.abc import Sequence
from datetime import datetime

from models import ending
from models.user_session import UserSession
from vestibule import clock
from vestibule.digest import digest_of
from vestibule.sessions import new_session_id
from vestibule.sessions.lifetime import Limits, oldest_live
from vestibule.sessions.reasons import Reason
from vestibule.sessions.store import REASON_KEPT


class DatabaseStore:
    """The sessions that are `UserSession` rows."""

    def find(self, session_id: str) -> UserSession | None:
        """Return the session with this secret id, dead or alive."""
        return UserSession.find(session_id)

    def listed(self, user_id: str | None = None) -> Sequence[UserSession]:
        """Return a user's sessions, or all, newest first."""
        wanted = {} if user_id is None else {"user_id": user_id}
        return UserSession.search(wanted)[::-1]

    def touch(self, session_id: str, now: datetime) -> None:
        """Note a use; a session that ended meanwhile stays ended."""
        ending.touch(digest_of(session_id), now)

    def rotate(self, session_id: str, now: datetime) -> str | None:
        """Give a session a new secret id, authenticated at `now`."""
        new_id = new_session_id()
        rotated = ending.rotate(digest_of(session_id), digest_of(new_id), now)
        return new_id if rotated else None

    def end(self, session_id: str, reason: Reason) -> bool:
        """End the session with this secret id; tell if it was there."""
        return ending.end_by_digest(digest_of(session_id), reason)

    def end_handle(
        self, handle: str, reason: Reason, user_id: str | None = None
    ) -> bool:
        """End the session with this handle, if it is one of the user's."""
        return ending.end_by_handle(handle, reason, user_id)

    def end_all(
        self,
        reason: Reason,
        user_id: str | None = None,
        keep: str | None = None,
    ) -> int:
        """End the user's sessions, or all, but for the handle to keep."""
        return ending.end_of_user(reason, user_id, keep)

    def reason(self, session_id: str) -> Reason | None:
        """Return why the session ended, if that was in the last day."""
        since = clock.now() - REASON_KEPT
        found = ending.reason_of(digest_of(session_id), since)
        return None if found is None else Reason(found)

    def purge(self, limits: Limits, now: datetime) -> int:
        """Drop the sessions that are dead at `now`; count them."""
        begun, seen = oldest_live(limits, now)
        gone = 0
        if begun is not None:
            gone += ending.end_begun_before(begun, Reason.EXPIRED)
        if seen is not None:
            gone += ending.end_quiet_since(seen, Reason.IDLE_TIMEOUT)
        ending.forget_reasons(now - REASON_KEPT)
        return gone

#!/usr/bin/env python3
"""Sessions in the memory of one process that end after a set time."""

import logging
import threading
from datetime import datetime, timedelta, timezone
from typing import Optional

from api.v1.auth.session_auth import SessionAuth
from vestibule import settings
from vestibule.sessions.lifetime import LONGEST_SECONDS, Limits, is_live
from vestibule.sessions.purge import purge_mapping
from vestibule.sessions.record import Record, record_of

_log = logging.getLogger(__name__)

#: Held while a session is there but not dated yet: a purge that saw it
#: then would take it for one that nobody knows the age of.
_dating = threading.Lock()


class SessionExpAuth(SessionAuth):
    """A `SessionAuth` whose sessions live `session_duration` seconds."""

    def __init__(self) -> None:
        """Read `SESSION_DURATION`; no integer counts as 0: for ever."""
        duration = settings.SESSION_DURATION.read()
        if duration is None:
            _log.warning(
                "SESSION_DURATION is not an integer: sessions never expire"
            )
        self.session_duration: int = duration or 0
        self._purge_due: Optional[datetime] = None

    def create_session(self, user_id: Optional[str] = None) -> Optional[str]:
        """Begin a session as the parent does, and date it."""
        with _dating:
            session_id = super().create_session(user_id)
            if session_id is None:
                return None
            self.user_id_by_session_id[session_id] = {
                "user_id": user_id,
                "created_at": datetime.now(timezone.utc),
            }
        self.purge_when_due()
        return session_id

    def user_id_for_session_id(
        self, session_id: Optional[str] = None
    ) -> Optional[str]:
        """Return the user id of a session that is still live, or `None`."""
        if not isinstance(session_id, str):
            return None
        record = record_of(self.user_id_by_session_id.get(session_id))
        if record is None or not self.is_live(record):
            return None
        return record.user_id

    def is_live(self, record: Record) -> bool:
        """Tell whether the session of `record` may be used now."""
        return is_live(record, self.limits(), datetime.now(timezone.utc))

    def limits(self) -> Limits:
        """Return the limits that `session_duration` sets now."""
        seconds = min(self.session_duration, LONGEST_SECONDS)
        return Limits(timedelta(seconds=max(seconds, 0)))

    def purge_expired(self) -> int:
        """Drop the sessions that are dead; return how many there were."""
        return self.purge(datetime.now(timezone.utc))

    def purge(self, now: datetime) -> int:
        """Drop the sessions that are dead at the moment `now`."""
        return purge_mapping(
            self.user_id_by_session_id, self.limits(), now, _dating
        )

    def purge_when_due(self) -> None:
        """Purge once per `SESSION_PURGE_INTERVAL`.

        New sessions see to it, so that memory does not grow in a program
        that only imports this class and runs no server of ours.
        """
        now = datetime.now(timezone.utc)
        if self._purge_due is None or now >= self._purge_due:
            interval = settings.SESSION_PURGE_INTERVAL.read()
            self._purge_due = now + timedelta(seconds=interval)
            self.purge_expired()

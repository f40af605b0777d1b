#!/usr/bin/env python3
"""Sessions in the memory of one process that end after a set time."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Optional

from vestibule.core import settings
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.lifetime import Limits, seconds
from vestibule.sessions.session import parse_entry

_log = logging.getLogger(__name__)


class SessionExpAuth(SessionAuth):
    """A `SessionAuth` whose sessions live `session_duration` seconds."""

    def __init__(self) -> None:
        """Read `SESSION_DURATION`.

        It is 0, which means no limit, unless it is an integer.
        """
        duration = settings.SESSION_DURATION.read()
        if duration is None:
            _log.warning(
                "SESSION_DURATION is not an integer: sessions never expire"
            )
        self.session_duration: int = duration or 0
        self._dated_limits: Optional[tuple[int, Limits]] = None
        self._purge_due: Optional[datetime] = None

    def create_session(self, user_id: Optional[str] = None) -> Optional[str]:
        """Begin a session as `SessionAuth` does, and add `created_at`."""
        # A session without `created_at` counts as expired. The lock keeps
        # other threads from seeing it before it is added.
        with self._memory.lock:
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
        """Return the user id of a session that is still live, or `None`.

        If sessions expire, one without `created_at` has expired.
        """
        if not isinstance(session_id, str):
            return None
        entry = parse_entry(self.user_id_by_session_id.get(session_id))
        if entry is None:
            return None
        if self.session_duration > 0 and entry.created_at is None:
            return None
        return self.owner_of(session_id, self.store.find(session_id))

    def limits(self) -> Limits:
        """Return the limits, including `session_duration`."""
        known = self._dated_limits
        if known is None or known[0] != self.session_duration:
            dated = replace(
                super().limits(), duration=seconds(self.session_duration)
            )
            known = self._dated_limits = self.session_duration, dated
        return known[1]

    def now(self) -> datetime:
        """Return the time from which the age of sessions is computed."""
        return datetime.now(timezone.utc)

    def purge_when_due(self) -> None:
        """Purge once per `SESSION_PURGE_INTERVAL`.

        `create_session` calls it, so that memory does not grow in a program
        that imports this class and does not run the service.
        """
        now = self.now()
        if self._purge_due is None or now >= self._purge_due:
            interval = settings.SESSION_PURGE_INTERVAL.read()
            self._purge_due = now + timedelta(seconds=interval)
            self.purge_expired()

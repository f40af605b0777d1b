#!/usr/bin/env python3
"""The last uses of sessions, which threads collect and one of them writes."""

import os
import threading
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Connection,
    or_,
    select,
    update,
)

from vestibule.db.engine import Database, database, is_open
from vestibule.db.tables import USER_SESSIONS

#: Last uses of sessions that may wait to be written.
MAX_PENDING_TOUCHES = 10_000


class PendingTouches:
    """The last uses of sessions that are not written yet, by digest.

    A request that uses a session does not wait for a write. Reads in this
    process include the pending uses; other processes see them when `write`
    has written them, many in one statement.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.clear()

    def clear(self) -> None:
        """Forget all of them, as a forked child does with its parent's."""
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._moments: dict[str, datetime] = {}

    def add(self, digest: str, now: datetime) -> None:
        """Keep the time of a session's last use until it is written.

        Beyond `MAX_PENDING_TOUCHES` it is dropped: the next use of the
        session is recorded then.
        """
        current = database()
        with self._lock:
            if self._database is not current:
                self._database, self._moments = current, {}
            if len(self._moments) < MAX_PENDING_TOUCHES:
                self._moments[digest] = now

    def later_use(
        self, digest: str | None, stored: datetime | None
    ) -> datetime | None:
        """Return the pending time of a last use if it is after `stored`."""
        pending = self._moments.get(digest) if digest else None
        if pending is None or (stored is not None and stored > pending):
            return stored
        return pending

    def write(self) -> None:
        """Write the pending uses; a session that has ended stays ended.

        The uses of one second get the time of the last of them. If they
        cannot be written, drop them and raise as the database does.
        """
        with self._lock:
            opened, batch = self._database, dict(self._moments)
        if opened is None or not batch:
            return
        seconds: dict[datetime, list[str]] = {}
        for digest, moment in batch.items():
            seconds.setdefault(moment.replace(microsecond=0), []).append(
                digest
            )
        try:
            # Nothing is written to a database that was closed meanwhile.
            if is_open(opened):
                with opened.transaction() as connection:
                    for digests in seconds.values():
                        last = max(batch[digest] for digest in digests)
                        _touch(connection, digests, last)
        finally:
            with self._lock:
                for digest, moment in batch.items():
                    if self._moments.get(digest) == moment:
                        del self._moments[digest]


def _touch(
    connection: Connection, digests: Sequence[str], last: datetime
) -> None:
    """Store the last use of some sessions, in one statement.

    Rows that another transaction has locked are skipped on PostgreSQL: it
    ends these sessions or writes a use itself, and waiting for it could be
    a deadlock.
    """
    seen, columns = USER_SESSIONS.c.last_seen_at, USER_SESSIONS.c
    free = (
        select(columns.id)
        .where(columns.session_digest.in_(digests))
        .with_for_update(skip_locked=True)
    )
    connection.execute(
        update(USER_SESSIONS)
        .where(columns.id.in_(free), or_(seen.is_(None), seen < last))
        .values(last_seen_at=last)
    )


#: The pending uses of this process.
PENDING_TOUCHES = PendingTouches()
os.register_at_fork(after_in_child=PENDING_TOUCHES.clear)

#!/usr/bin/env python3
"""Writes the events of the security log to the database.

No request waits for a write or fails because of it. In a server a thread
writes queued events; a command writes its events before it ends. While the
database is down, the queue is bounded, and further events are in the log
only. Events that a client can cause at no cost must not fill the disk: the
first one is written, and equal ones are summed for a minute. Beyond
`MAX_SUMS` sums, users and networks are not told apart.
"""

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from multiprocessing.util import Finalize

from vestibule.audit.log import AuditRecord, EventType
from vestibule.core import clock, settings
from vestibule.core.client_info import clean_user_agent
from vestibule.core.errors import VestibuleError
from vestibule.core.passwords import hash_timer
from vestibule.core.request_headers import network_of
from vestibule.core.threads import Once, start_thread
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.statements import BATCH_PAUSE_SECONDS

_log = logging.getLogger(__name__)

#: Events that wait for the database; further ones are in the log only.
MAX_QUEUED_EVENTS = 10_000
#: Sums in a minute that name a user and a network. A client with a /48 of
#: IPv6 has 65,536 networks, and each would add a row.
MAX_SUMS = 100
#: Events in one transaction.
WRITE_BATCH = 100
#: Seconds for which equal events are summed.
SUM_SECONDS = 60.0
#: Seconds between a failed write and the next.
RETRY_SECONDS = 1.0
#: Seconds that the end of the process waits for the thread.
CLOSE_TIMEOUT_SECONDS = 10.0
#: Batches of one purge. What is left is purged the next time.
MAX_PURGE_BATCHES = 100
#: Characters of a text in an event.
MAX_TEXT_LENGTH = 256
#: Events that cost a client neither a password nor a hash.
_SUMMED_EVENTS = frozenset(
    {
        EventType.THROTTLED,
        EventType.SESSION_REFUSED,
        EventType.CROSS_SITE_REFUSED,
        EventType.ACCESS_DENIED,
        EventType.CODE_REFUSED,
    }
)

#: The hourly counts: password hashes, the microseconds they took, and the
#: live sessions at the end of the hour.
HASHES, HASHING, SESSIONS = "hashes", "hashing", "sessions"

StoreEvents = Callable[[Sequence[Event]], None]


def store_events(batch: Sequence[Event]) -> None:
    """Store events, and the time that hashing took since the last call."""
    taken = hash_timer.take()
    hour = hour_of(clock.now())
    events.insert_events(
        batch,
        {
            Bucket(hour, HASHES): taken.number,
            Bucket(hour, HASHING): taken.microseconds,
        }
        if taken.number
        else None,
    )


class EventSum:
    """The sum of equal events since a moment."""

    def __init__(self, began: float) -> None:
        """Begin with no event at `began`, of the monotonic clock."""
        self.began = began
        self.last: Event | None = None

    def add(self, one: Event) -> None:
        """Count one more event."""
        times = 0 if self.last is None else self.last.times
        self.last = replace(one, times=times + one.times)


class AuditWriter:
    """The queue of events, and the thread that writes them."""

    def __init__(self, store: StoreEvents = store_events) -> None:
        """Write by `store`; start no thread yet."""
        self._store = store
        self._queue: deque[Event] = deque()
        self._sums: dict[tuple[str | None, ...], EventSum] = {}
        self._dropped = 0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._at_end: Finalize | None = None

    def enqueue(self, record: AuditRecord) -> None:
        """Queue a record of the security log, to be written soon."""
        if not settings.EVENTS_KEPT.read():
            return
        one = event_from(record)
        with self._changed:
            first: Event | None = one
            if record.event in _SUMMED_EVENTS:
                first = self._first_of_sum(one)
            if first is not None:
                self._append(first)
                self._changed.notify_all()
            self._ensure_thread()

    def write_pending(self, now: float | None = None) -> bool:
        """Write the queue and the sums that are due.

        Return False if the database could not store them. Events that
        fail for another reason are dropped, or they would block the rest.
        """
        self._queue_sums(clock.monotonic() if now is None else now)
        while True:
            with self._changed:
                dropped, self._dropped = self._dropped, 0
                batch = list(islice(self._queue, WRITE_BATCH))
            if dropped:
                _log.warning(
                    "%d events are not stored; they are in the log only",
                    dropped,
                )
            if not batch:
                return True
            try:
                self._store(batch)
            except VestibuleError as error:
                _log.warning("cannot store events yet: %s", error)
                return False
            except Exception:
                _log.exception(
                    "events are not stored; they are in the log only"
                )
            with self._changed:
                for _ in batch:
                    self._queue.popleft()
                self._changed.notify_all()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait up to `timeout` seconds until the queue is empty.

        Return True if it is. Sums continue until their minute is over.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout)

    def close(self) -> None:
        """End the thread, and try once to write the queue and the sums.

        If the database does not answer the thread, it is not tried again.
        """
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_TIMEOUT_SECONDS)
            if self._thread.is_alive():
                _log.error("events are lost: the database does not answer")
                return
        self.write_pending(now=math.inf)

    def _first_of_sum(self, one: Event) -> Event | None:
        """Return the event to queue, if `one` is the first of its sum.

        Otherwise add it to the sum and return `None`. Beyond `MAX_SUMS`,
        the events of one kind and reason are one sum, which names no client.
        """
        key = _sum_key(one)
        if key not in self._sums and len(self._sums) >= MAX_SUMS:
            one = replace(
                one,
                user_id=None,
                ip=None,
                network=None,
                user_agent=None,
                handle=None,
            )
            key = _sum_key(one)
        if (known := self._sums.get(key)) is not None:
            known.add(one)
            return None
        self._sums[key] = EventSum(clock.monotonic())
        return one

    def _append(self, one: Event) -> None:
        """Append `one` to the queue, if there is room."""
        if len(self._queue) < MAX_QUEUED_EVENTS:
            self._queue.append(one)
        else:
            self._dropped += 1

    def _queue_sums(self, now: float) -> None:
        """Queue the sums whose minute is over, the oldest first."""
        with self._changed:
            while self._sums:
                key, oldest = next(iter(self._sums.items()))
                if now - oldest.began < SUM_SECONDS:
                    return
                del self._sums[key]
                if oldest.last is not None:
                    self._append(oldest.last)
                    self._sums[key] = EventSum(now)

    def _ensure_thread(self) -> None:
        """Start the thread if none runs, and write when the process ends."""
        if self._thread is not None:
            return
        if self._at_end is None:
            # Unlike `atexit` it runs in the server's workers too.
            self._at_end = Finalize(None, self.close, exitpriority=0)
        self._thread = start_thread("audit", self._run)

    def _wait_for_work(self) -> bool:
        """Wait for something to write; return False if the writer is closed.

        The lock is held for that check: `close` wakes only a waiting
        thread, and a server would never end if one began to wait later.
        """
        with self._changed:
            if not (self._queue or self._closed.is_set()):
                self._changed.wait(SUM_SECONDS if self._sums else None)
            return not self._closed.is_set()

    def _run(self) -> None:
        """Write events as they come, until the writer is closed."""
        while self._wait_for_work():
            if not self.write_pending():
                self._closed.wait(RETRY_SECONDS)


@Once
def audit_writer() -> AuditWriter:
    """Return the writer of this process."""
    return AuditWriter()


# A forked child has no thread, and must not write its parent's queue.
os.register_at_fork(after_in_child=audit_writer.cache_clear)


def enqueue(record: AuditRecord) -> None:
    """Queue a record in the writer of this process."""
    audit_writer().enqueue(record)


def write_now(record: AuditRecord) -> None:
    """Write a record at once, in a program that ends soon.

    A failure is only logged: the action it describes is done already.
    """
    try:
        if settings.EVENTS_KEPT.read():
            store_events([event_from(record)])
    except VestibuleError as error:
        _log.warning("the event is not stored: %s", error)
    except Exception as error:
        _log.warning("the event is not stored: %s", error, exc_info=True)


def purge() -> int:
    """Delete events older than `EVENTS_KEPT`; return their number."""
    kept = timedelta(days=settings.EVENTS_KEPT.read())
    before, deleted = clock.now() - kept, 0
    hourly_counts.purge(before)
    for _ in range(MAX_PURGE_BATCHES):
        rows = events.purge_batch(before)
        deleted += rows
        if rows < events.MAX_PURGE_ROWS:
            break
        time.sleep(BATCH_PAUSE_SECONDS)
    return deleted


def record_session_count(live: int) -> None:
    """Store the number of live sessions in the counts of this hour."""
    if settings.EVENTS_KEPT.read():
        hourly_counts.set_gauge({Bucket(hour_of(clock.now()), SESSIONS): live})


def event_from(record: AuditRecord) -> Event:
    """Return the event of a record, as it is stored."""
    request, fields = record.request, record.fields
    address = None if request is None else request.client_address
    program = None if request is None else request.client_program
    user, by = _shorten(fields.get("user")), _shorten(fields.get("by"))
    count = fields.get("count")
    return Event(
        record.at,
        record.event.value,
        user,
        by if by != user else None,
        address,
        None if address is None else network_of(address),
        _shorten(program),
        _shorten(fields.get("handle")),
        _shorten(fields.get("reason")),
        count if isinstance(count, int) else None,
    )


def _sum_key(one: Event) -> tuple[str | None, ...]:
    """Return the fields in which events are equal that are summed."""
    return one.kind, one.user_id, one.network, one.reason


def _shorten(text: str | int | None) -> str | None:
    """Return a text on one line, with at most `MAX_TEXT_LENGTH` characters."""
    return (
        None if text is None else clean_user_agent(str(text)[:MAX_TEXT_LENGTH])
    )

#!/usr/bin/env python3
"""The journal: what the security log tells of, also in the database.

Its law: no request waits for it and nothing fails by it. A thread writes
what happened, and a command writes what it did before it ends. While the
database is away some of it waits, and the rest is in the log alone. What
strangers can bring about as often as they like is written once and then
summed for a minute, so that they cannot fill a disk.
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
from vestibule.core.network import network_of
from vestibule.core.passwords import hash_timer
from vestibule.core.threads import Once, start_thread
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.statements import BATCH_PAUSE_SECONDS

_log = logging.getLogger(__name__)

#: Events that wait for the database at most, and sums that are kept.
MAX_QUEUED_EVENTS = 10_000
#: Events in one transaction.
WRITE_BATCH = 100
#: Seconds in which what is alike is summed.
WINDOW = 60.0
#: Seconds before another try after a failure.
PATIENCE = 1.0
#: Purges of one sweep: what nobody waits for should not keep others waiting.
PURGES = 100
#: Characters of a text that are kept.
MAX_TEXT_LENGTH = 256
#: What costs who brings it about neither a password nor a hash.
_CHEAP = frozenset(
    {
        EventType.THROTTLED,
        EventType.SESSION_REFUSED,
        EventType.CROSS_SITE_REFUSED,
    }
)

#: What is summed beside events: hashes, microseconds that they took, and
#: at the end of an hour the sessions that were live.
HASHES, HASHING, SESSIONS = "hashes", "hashing", "sessions"

Store = Callable[[Sequence[Event]], None]


def keep(happenings: Sequence[Event]) -> None:
    """Store what happened, and how long hashing took meanwhile."""
    taken = hash_timer.take()
    hour = hour_of(clock.now())
    events.insert_events(
        happenings,
        {
            Bucket(hour, HASHES): taken.number,
            Bucket(hour, HASHING): taken.microseconds,
        }
        if taken.number
        else None,
    )


class EventSum:
    """What happened again and again since a moment."""

    def __init__(self, began: float) -> None:
        """Begin at a moment of the monotonic clock, with nothing."""
        self.began = began
        self.last: Event | None = None

    def add(self, one: Event) -> None:
        """Count it once more."""
        times = 0 if self.last is None else self.last.times
        self.last = replace(one, times=times + one.times)


class AuditWriter:
    """What waits to be written, and the thread that writes it."""

    def __init__(self, store: Store = keep) -> None:
        """Prepare to write by `store`; nothing runs yet."""
        self._store = store
        self._waiting: deque[Event] = deque()
        self._sums: dict[tuple[str | None, ...], EventSum] = {}
        self._lost = 0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._at_end: Finalize | None = None

    def note(self, line: AuditRecord) -> None:
        """Take in what the security log tells of, and write it soon."""
        if not settings.EVENTS_KEPT.read():
            return
        one = event_from(line)
        with self._changed:
            if line.event not in _CHEAP or self._begins(one):
                self._queue(one)
                self._changed.notify_all()
            self._ensure_running()

    def write(self, now: float | None = None) -> bool:
        """Write all that waits and is due; tell if that went well.

        What a defect keeps from being written is dropped, or nothing
        after it would ever be.
        """
        self._end_sums(clock.monotonic() if now is None else now)
        while True:
            with self._changed:
                lost, self._lost = self._lost, 0
                some = list(islice(self._waiting, WRITE_BATCH))
            if lost:
                _log.warning("%d events are in the log alone", lost)
            if not some:
                return True
            try:
                self._store(some)
            except VestibuleError as error:
                _log.warning("events wait to be stored: %s", error)
                return False
            except Exception:
                _log.exception("events are in the log alone")
            with self._changed:
                for _ in some:
                    self._waiting.popleft()
                self._changed.notify_all()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until nothing waits any more; tell if that is so.

        Sums go on until their minute is over.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """End the thread, and write what waits, and the sums, once."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self.write(now=math.inf)

    def _begins(self, one: Event) -> bool:
        """Tell whether `one` is the first of its kind; count it if not."""
        key = one.kind, one.user_id, one.network, one.reason
        if (known := self._sums.get(key)) is not None:
            known.add(one)
            return False
        if len(self._sums) >= MAX_QUEUED_EVENTS:
            self._lost += 1
            return False
        self._sums[key] = EventSum(clock.monotonic())
        return True

    def _queue(self, one: Event) -> None:
        """Let `one` wait, if there is room."""
        if len(self._waiting) < MAX_QUEUED_EVENTS:
            self._waiting.append(one)
        else:
            self._lost += 1

    def _end_sums(self, now: float) -> None:
        """Queue the sums whose minute is over; the oldest come first."""
        with self._changed:
            while self._sums:
                key, oldest = next(iter(self._sums.items()))
                if now - oldest.began < WINDOW:
                    return
                del self._sums[key]
                if oldest.last is not None:
                    self._queue(oldest.last)
                    self._sums[key] = EventSum(now)

    def _ensure_running(self) -> None:
        """Start the thread, if there is none; write at the end anyway."""
        if self._thread is not None:
            return
        if self._at_end is None:
            # Unlike `atexit` it is heeded by the server's workers too.
            self._at_end = Finalize(None, self.close, exitpriority=0)
        self._thread = start_thread("journal", self._run)

    def _awaits(self) -> bool:
        """Wait for something to write; tell if the thread goes on.

        Whether it is closed is asked in the lock: `close` wakes only who
        sleeps, and a server would wait for who falls asleep after it.
        """
        with self._changed:
            if not (self._waiting or self._closed.is_set()):
                self._changed.wait(WINDOW if self._sums else None)
            return not self._closed.is_set()

    def _run(self) -> None:
        """Wait for something to write, write it, and begin again."""
        while self._awaits():
            if not self.write():
                self._closed.wait(PATIENCE)


@Once
def audit_writer() -> AuditWriter:
    """Return the journal of this process."""
    return AuditWriter()


# A child has no thread of its parent's, and must not write what waits there.
os.register_at_fork(after_in_child=audit_writer.cache_clear)


def enqueue(line: AuditRecord) -> None:
    """Take a line of the security log into the journal of this process."""
    audit_writer().note(line)


def write_now(line: AuditRecord) -> None:
    """Write a line before going on, in a program that ends soon.

    What it tells of is done, so nothing fails because it is not written.
    """
    try:
        if settings.EVENTS_KEPT.read():
            keep([event_from(line)])
    except VestibuleError as error:
        _log.warning("the event is not stored: %s", error)
    except Exception as error:
        _log.warning("the event is not stored: %s", error, exc_info=True)


def purge() -> int:
    """Drop the events that are older than `EVENTS_KEPT`; count them."""
    kept = timedelta(days=settings.EVENTS_KEPT.read())
    before, gone = clock.now() - kept, 0
    hourly_counts.purge(before)
    for _ in range(PURGES):
        some = events.purge_batch(before)
        gone += some
        if some < events.MAX_PURGE_ROWS:
            break
        time.sleep(BATCH_PAUSE_SECONDS)
    return gone


def record_session_count(live: int) -> None:
    """Note how many sessions are live now, for the figures of this hour."""
    if settings.EVENTS_KEPT.read():
        hourly_counts.set_gauge({Bucket(hour_of(clock.now()), SESSIONS): live})


def event_from(line: AuditRecord) -> Event:
    """Return what a line of the security log tells, as it is kept."""
    request, fields = line.request, line.fields
    address = None if request is None else request.client_address
    program = None if request is None else request.client_program
    user, by = _kept(fields.get("user")), _kept(fields.get("by"))
    count = fields.get("count")
    return Event(
        line.at,
        line.event.value,
        user,
        by if by != user else None,
        address,
        None if address is None else network_of(address),
        _kept(program),
        _kept(fields.get("handle")),
        _kept(fields.get("reason")),
        count if isinstance(count, int) else None,
    )


def _kept(text: str | int | None) -> str | None:
    """Return a text as it is kept: short, on one line."""
    return (
        None if text is None else clean_user_agent(str(text)[:MAX_TEXT_LENGTH])
    )

#!/usr/bin/env python3
"""The journal: written aside, bounded, summed, and never in the way."""

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.serving import ROOT, run_python
from tests.threads import FailingThreadStart
from vestibule.audit import writer
from vestibule.audit.log import AuditRecord, EventType
from vestibule.audit.writer import (
    SUM_SECONDS,
    WRITE_BATCH,
    AuditWriter,
    event_from,
    purge,
)
from vestibule.core import clock
from vestibule.core.errors import ServiceBusy
from vestibule.db import events
from vestibule.db.events import Event, EventFilter, fetch_page

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)
WITHOUT_THREADS = """
import threading
from datetime import datetime, timezone

from vestibule.audit.writer import AuditWriter
from vestibule.audit.log import AuditRecord, EventType

def refuse(*arguments):
    raise RuntimeError("can't start new thread")

threading._start_new_thread = refuse
writing = AuditWriter(lambda some: print(len(some), "written"))
for _ in range(2):
    now = datetime.now(timezone.utc)
    writing.enqueue(AuditRecord(EventType.LOGIN, now, {}, None))
print("noted")
"""


class Asking:
    """A request that says where it comes from."""

    request_id = "r"

    def __init__(self, address: str | None, program: str | None) -> None:
        """Come from an address, by a program."""
        self.client_address = address
        self.client_program = program


class Shelf:
    """A place for events that can be out of order."""

    def __init__(self) -> None:
        """Begin in order, with nothing."""
        self.kept: list[Event] = []
        self.error: Exception | None = None
        self.tried = threading.Semaphore(0)

    def store(self, happenings: Sequence[Event]) -> None:
        """Keep them, or fail."""
        self.tried.release()
        if self.error is not None:
            raise self.error
        self.kept += happenings


@pytest.fixture
def shelf() -> Shelf:
    """Return an empty shelf."""
    return Shelf()


@pytest.fixture
def still(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> AuditWriter:
    """Return a journal whose thread never starts: the test writes."""
    monkeypatch.setattr(AuditWriter, "_ensure_thread", lambda self: None)
    return AuditWriter(shelf.store)


def line(
    event: EventType = EventType.LOGIN,
    address: str | None = "10.0.0.1",
    **fields: str,
) -> AuditRecord:
    """Return a line of the security log."""
    return AuditRecord(event, NOW, fields, Asking(address, "curl/8"))


def test_record_becomes_an_event() -> None:
    """The user, the actor, the address with its network, the details."""
    request = Asking("2001:db8:1:2:3::4", "Mozilla/5.0 (X11; Linux)")
    made = event_from(
        AuditRecord(
            EventType.SESSIONS_REVOKED,
            NOW,
            {
                "user": "bob",
                "by": "amy",
                "count": 3,
                "handle": "h",
                "reason": "why",
                "path": "/never/kept",
            },
            request,
        )
    )
    assert made == Event(
        NOW,
        "sessions_revoked",
        "bob",
        "amy",
        "2001:db8:1:2:3::4",
        "2001:db8:1:2::/64",
        "Mozilla/5.0 (X11; Linux)",
        "h",
        "why",
        3,
    )


def test_unknown_fields_are_none() -> None:
    """A script has no request; users who act for themselves need no `by`."""
    made = event_from(
        AuditRecord(
            EventType.USER_REMOVED, NOW, {"user": "bob", "by": "bob"}, None
        )
    )
    assert made == Event(NOW, "user_removed", "bob")


def test_client_texts_are_cut_and_cleaned() -> None:
    """The database accepts them, and their size is bounded."""
    evil = "a\0b\nc\ud800\u202e" + "x" * 10_000
    made = event_from(
        AuditRecord(
            EventType.LOGIN,
            NOW,
            {"handle": evil, "reason": evil, "user": evil},
            Asking("10.0.0.1", evil),
        )
    )
    for text in (made.user_agent, made.handle, made.reason, made.user_id):
        assert text == "a b c  " + "x" * (writer.MAX_TEXT_LENGTH - 7)


def test_events_are_written_in_order_in_batches(
    still: AuditWriter, shelf: Shelf
) -> None:
    """All events that wait, none twice."""
    for i in range(2 * WRITE_BATCH + 1):
        still.enqueue(line(user=str(i)))
    assert shelf.kept == []
    assert still.write_pending()
    assert [one.user_id for one in shelf.kept] == [
        str(i) for i in range(2 * WRITE_BATCH + 1)
    ]
    assert still.write_pending()
    assert len(shelf.kept) == 2 * WRITE_BATCH + 1


def test_frequent_events_are_summed_for_a_minute(
    still: AuditWriter, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first at once; the rest as one event, once a minute."""
    seconds = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: seconds)
    for _ in range(500):
        still.enqueue(line(EventType.SESSION_REFUSED))
    still.enqueue(line(EventType.SESSION_REFUSED, "10.0.0.2"))
    still.enqueue(line(EventType.SESSION_REFUSED, reason="expired"))
    still.enqueue(line(EventType.LOGIN))
    still.enqueue(line(EventType.LOGIN))
    still.write_pending()
    assert [(one.kind, one.times) for one in shelf.kept] == [
        *[("session_refused", 1)] * 3,
        ("login", 1),
        ("login", 1),
    ]
    shelf.kept.clear()
    seconds += SUM_SECONDS - 1
    still.write_pending()
    assert shelf.kept == []
    seconds += 1
    still.write_pending()
    assert [(one.times, one.ip) for one in shelf.kept] == [(499, "10.0.0.1")]
    still.enqueue(line(EventType.SESSION_REFUSED))
    still.enqueue(line(EventType.SESSION_REFUSED, "10.0.0.2"))
    still.write_pending()
    assert [one.ip for one in shelf.kept[1:]] == ["10.0.0.2"]
    seconds += 10 * SUM_SECONDS
    still.write_pending()
    assert [one.times for one in shelf.kept] == [499, 1, 1]
    seconds += 10 * SUM_SECONDS
    still.write_pending()
    assert still._sums == {}


def test_sum_has_the_time_of_its_last_event(
    still: AuditWriter, shelf: Shelf
) -> None:
    """It is not lost when the process ends."""
    for i in range(3):
        still.enqueue(
            line(EventType.THROTTLED)._replace(at=NOW + timedelta(seconds=i))
        )
    still.close()
    assert [(one.at, one.times) for one in shelf.kept] == [
        (NOW, 1),
        (NOW + timedelta(seconds=2), 2),
    ]


def test_queue_and_sums_are_bounded(
    still: AuditWriter,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says how many events are lost."""
    monkeypatch.setattr(writer, "MAX_QUEUED_EVENTS", 4)
    for i in range(6):
        still.enqueue(line(user=str(i)))
    assert still.write_pending()
    assert [one.user_id for one in shelf.kept] == ["0", "1", "2", "3"]
    assert "2 events are not stored" in caplog.text
    for i in range(7):
        still.enqueue(line(EventType.THROTTLED, f"10.0.0.{i}"))
    still.write_pending()
    assert len(shelf.kept) == 8
    assert "3 events are not stored" in caplog.text


def test_events_wait_while_the_database_is_unavailable(
    still: AuditWriter, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is written once when the database is available again."""
    shelf.error = ServiceBusy("somebody writes")
    still.enqueue(line(user="a"))
    assert not still.write_pending()
    still.enqueue(line(user="b"))
    assert not still.write_pending()
    assert "cannot store events yet: somebody writes" in caplog.text
    shelf.error = None
    assert still.write_pending()
    assert [one.user_id for one in shelf.kept] == ["a", "b"]


def test_batch_with_an_unexpected_error_is_dropped(
    still: AuditWriter, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    """The events after it are written."""
    shelf.error = KeyError("a defect")
    still.enqueue(line(user="a"))
    assert still.write_pending()
    assert "a defect" in caplog.text
    shelf.error = None
    still.enqueue(line(user="b"))
    still.write_pending()
    assert [one.user_id for one in shelf.kept] == ["b"]


def test_no_event_is_queued_if_events_kept_is_zero(
    still: AuditWriter, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `EVENTS_KEPT=0` nothing is stored."""
    monkeypatch.setenv("EVENTS_KEPT", "0")
    still.enqueue(line())
    still.write_pending()
    assert shelf.kept == []


def test_one_thread_writes_until_closed(shelf: Shelf) -> None:
    """The first event starts it; `close` ends it."""
    writing = AuditWriter(shelf.store)
    assert writing.flush()
    before = set(threading.enumerate())
    for i in range(50):
        writing.enqueue(line(user=str(i)))
    (own,) = set(threading.enumerate()) - before
    assert own.daemon
    assert writing.flush()
    assert len(shelf.kept) == 50
    writing.close()
    assert not own.is_alive()


def test_refused_thread_is_started_by_the_next_event(
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller sees no error, and both events are stored."""
    writing = AuditWriter(shelf.store)
    FailingThreadStart(monkeypatch)
    writing.enqueue(line(EventType.THROTTLED))
    assert "no thread for audit: can't start new thread" in caplog.text
    assert shelf.kept == []
    writing.enqueue(line(EventType.THROTTLED))
    assert writing.flush(20)
    assert len(shelf.kept) == 1
    writing.close()
    assert [one.times for one in shelf.kept] == [1, 1]


def test_events_without_a_thread_are_written_at_exit(tmp_path: Path) -> None:
    """What waits is written when the process ends."""
    said = run_python(WITHOUT_THREADS, tmp_path, {"PYTHONPATH": str(ROOT)})
    assert said == "noted\n2 written\n"


def test_close_ends_the_thread_at_any_moment(shelf: Shelf) -> None:
    """Also right after the thread has checked whether to end."""
    looked = threading.Event()

    class Closed(threading.Event):
        """Lets the end be told as soon as somebody looked for it."""

        def is_set(self) -> bool:
            """Look, and give who ends it a while to do so."""
            before = super().is_set()
            if shelf.kept and not looked.is_set():
                looked.set()
                self.wait(0.5)
            return before

    writing = AuditWriter(shelf.store)
    writing._closed = Closed()
    writing.enqueue(line())
    assert looked.wait(20)
    closing = threading.Thread(target=writing.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_thread_retries_after_a_failure(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits between two tries."""
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    shelf.error = ServiceBusy("not now")
    writing = AuditWriter(shelf.store)
    writing.enqueue(line())
    for _ in range(3):
        assert shelf.tried.acquire(timeout=20)
    assert not writing.flush(0)
    shelf.error = None
    assert writing.flush(20)
    assert len(shelf.kept) == 1
    writing.close()


def test_enqueue_does_not_wait_for_the_database() -> None:
    """While a write hangs, another event is queued at once."""
    begun, free = threading.Event(), threading.Event()

    def hang(happenings: Sequence[Event]) -> None:
        """Write for as long as the test likes."""
        begun.set()
        free.wait(20)

    writing = AuditWriter(hang)
    writing.enqueue(line())
    assert begun.wait(20)
    writing.enqueue(line())
    assert not free.is_set()
    free.set()
    writing.close()


def test_forked_child_writes_no_event_of_its_parent() -> None:
    """A fork does not copy threads; queued events are written once."""
    writer.enqueue(line(user="parent"))
    writer.audit_writer().flush()
    parents = writer.audit_writer()
    child = os.fork()
    if child == 0:
        fresh = writer.audit_writer()
        is_new = fresh is not parents and not fresh._queue
        os._exit(0 if is_new and fresh._thread is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_events_older_than_the_setting_are_purged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In more than one batch."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(events, "MAX_PURGE_ROWS", 3)
    monkeypatch.setenv("EVENTS_KEPT", "30")
    day = timedelta(days=1)
    events.insert_events([Event(NOW - i * day, str(i)) for i in range(25, 36)])
    assert purge() == 5
    assert [one.kind for one in fetch_page(EventFilter(), 100).events] == [
        str(i) for i in range(25, 31)
    ]
    monkeypatch.setenv("EVENTS_KEPT", "0")
    assert purge() == 6


def test_one_purge_deletes_a_bounded_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of a sweep does not wait for millions of deletions."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(events, "MAX_PURGE_ROWS", 2)
    monkeypatch.setattr(writer, "MAX_PURGE_BATCHES", 2)
    old = NOW - timedelta(days=1000)
    events.insert_events(
        [Event(old + timedelta(seconds=i), str(i)) for i in range(9)]
    )
    assert [purge() for _ in range(4)] == [4, 4, 1, 0]

#!/usr/bin/env python3
"""The thread of the audit writer: its start, retries, end and forks."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.serving import ROOT, run_python
from tests.threads import FailingThreadStart
from tests.unit.audit_records import EventStore, audit_record
from vestibule.audit import writer
from vestibule.audit.log import EventType
from vestibule.audit.writer import AuditWriter
from vestibule.core.errors import ServiceBusy
from vestibule.db.events import Event

pytestmark = pytest.mark.slow

WITHOUT_THREADS = """
import threading
from datetime import datetime, timezone

from vestibule.audit.writer import AuditWriter
from vestibule.audit.log import AuditRecord, EventType

def refuse(*arguments):
    raise RuntimeError("can't start new thread")

threading._start_new_thread = refuse
audit_writer = AuditWriter(lambda some: print(len(some), "written"))
for _ in range(2):
    now = datetime.now(timezone.utc)
    audit_writer.enqueue(AuditRecord(EventType.LOGIN, now, {}, None))
print("noted")
"""


@pytest.fixture
def event_store() -> EventStore:
    """Return an empty store of events."""
    return EventStore()


def test_one_thread_writes_until_closed(event_store: EventStore) -> None:
    """The first event starts it; `close` ends it."""
    audit_writer = AuditWriter(event_store.store)
    assert audit_writer.flush()
    before = set(threading.enumerate())
    for i in range(50):
        audit_writer.enqueue(audit_record(user=str(i)))
    (own,) = set(threading.enumerate()) - before
    assert own.daemon
    assert audit_writer.flush()
    assert len(event_store.kept) == 50
    audit_writer.close()
    assert not own.is_alive()


def test_refused_thread_is_started_by_the_next_event(
    event_store: EventStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller sees no error, and both events are stored."""
    audit_writer = AuditWriter(event_store.store)
    FailingThreadStart(monkeypatch)
    audit_writer.enqueue(audit_record(EventType.THROTTLED))
    assert "no thread for audit: can't start new thread" in caplog.text
    assert event_store.kept == []
    audit_writer.enqueue(audit_record(EventType.THROTTLED))
    assert audit_writer.flush(20)
    assert len(event_store.kept) == 1
    audit_writer.close()
    assert [one.times for one in event_store.kept] == [1, 1]


@pytest.mark.slow
def test_events_without_a_thread_are_written_at_exit(tmp_path: Path) -> None:
    """What waits is written when the process ends."""
    said = run_python(WITHOUT_THREADS, tmp_path, {"PYTHONPATH": str(ROOT)})
    assert said == "noted\n2 written\n"


def test_close_ends_the_thread_at_any_moment(event_store: EventStore) -> None:
    """Also right after the thread has checked whether to end."""
    looked = threading.Event()

    class Closed(threading.Event):
        """Tells the test when the thread has checked whether to end."""

        def is_set(self) -> bool:
            """Check, and give the closing thread time to set it."""
            before = super().is_set()
            if event_store.kept and not looked.is_set():
                looked.set()
                self.wait(0.5)
            return before

    audit_writer = AuditWriter(event_store.store)
    audit_writer._closed = Closed()
    audit_writer.enqueue(audit_record())
    assert looked.wait(20)
    closing = threading.Thread(target=audit_writer.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_thread_retries_after_a_failure(
    event_store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits between two tries."""
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    event_store.error = ServiceBusy("not now")
    audit_writer = AuditWriter(event_store.store)
    audit_writer.enqueue(audit_record())
    for _ in range(3):
        assert event_store.tried.acquire(timeout=20)
    assert not audit_writer.flush(0)
    event_store.error = None
    assert audit_writer.flush(20)
    assert len(event_store.kept) == 1
    audit_writer.close()


def test_enqueue_does_not_wait_for_the_database() -> None:
    """While a write hangs, another event is queued at once."""
    begun, free = threading.Event(), threading.Event()

    def hang(events: Sequence[Event]) -> None:
        """Write until the test ends it."""
        begun.set()
        free.wait(20)

    audit_writer = AuditWriter(hang)
    audit_writer.enqueue(audit_record())
    assert begun.wait(20)
    audit_writer.enqueue(audit_record())
    assert not free.is_set()
    free.set()
    audit_writer.close()


def test_forked_child_writes_no_event_of_its_parent() -> None:
    """A fork does not copy threads; queued events are written once."""
    writer.enqueue(audit_record(user="parent"))
    writer.audit_writer().flush()
    parents = writer.audit_writer()
    child = os.fork()
    if child == 0:
        fresh = writer.audit_writer()
        is_new = fresh is not parents and not fresh._queue
        os._exit(0 if is_new and fresh._thread is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

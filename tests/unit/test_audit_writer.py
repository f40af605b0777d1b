#!/usr/bin/env python3
"""The audit writer: events are batched, summed, bounded and purged."""

from datetime import timedelta

import pytest

from tests.unit.audit_records import (
    NOW,
    ClientRequest,
    EventStore,
    audit_record,
)
from vestibule.audit import writer
from vestibule.audit.log import AuditRecord, EventType
from vestibule.audit.writer import (
    MAX_SUMS,
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


@pytest.fixture
def event_store() -> EventStore:
    """Return an empty store of events."""
    return EventStore()


@pytest.fixture
def idle_writer(
    event_store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> AuditWriter:
    """Return a writer whose thread never starts: the test writes."""
    monkeypatch.setattr(AuditWriter, "_ensure_thread", lambda self: None)
    return AuditWriter(event_store.store)


def test_record_becomes_an_event() -> None:
    """The user, the actor, the address with its network, the details."""
    request = ClientRequest("2001:db8:1:2:3::4", "Mozilla/5.0 (X11; Linux)")
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
            ClientRequest("10.0.0.1", evil),
        )
    )
    for text in (made.user_agent, made.handle, made.reason, made.user_id):
        assert text == "a b c  " + "x" * (writer.MAX_TEXT_LENGTH - 7)


def test_events_are_written_in_order_in_batches(
    idle_writer: AuditWriter, event_store: EventStore
) -> None:
    """All events that wait, none twice."""
    for i in range(2 * WRITE_BATCH + 1):
        idle_writer.enqueue(audit_record(user=str(i)))
    assert event_store.kept == []
    assert idle_writer.write_pending()
    assert [one.user_id for one in event_store.kept] == [
        str(i) for i in range(2 * WRITE_BATCH + 1)
    ]
    assert idle_writer.write_pending()
    assert len(event_store.kept) == 2 * WRITE_BATCH + 1


def test_frequent_events_are_summed_for_a_minute(
    idle_writer: AuditWriter,
    event_store: EventStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first at once; the rest as one event, once a minute."""
    seconds = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: seconds)
    for _ in range(500):
        idle_writer.enqueue(audit_record(EventType.SESSION_REFUSED))
    idle_writer.enqueue(audit_record(EventType.SESSION_REFUSED, "10.0.0.2"))
    idle_writer.enqueue(
        audit_record(EventType.SESSION_REFUSED, reason="expired")
    )
    idle_writer.enqueue(audit_record(EventType.LOGIN))
    idle_writer.enqueue(audit_record(EventType.LOGIN))
    idle_writer.write_pending()
    assert [(one.kind, one.times) for one in event_store.kept] == [
        *[("session_refused", 1)] * 3,
        ("login", 1),
        ("login", 1),
    ]
    event_store.kept.clear()
    seconds += SUM_SECONDS - 1
    idle_writer.write_pending()
    assert event_store.kept == []
    seconds += 1
    idle_writer.write_pending()
    assert [(one.times, one.ip) for one in event_store.kept] == [
        (499, "10.0.0.1")
    ]
    idle_writer.enqueue(audit_record(EventType.SESSION_REFUSED))
    idle_writer.enqueue(audit_record(EventType.SESSION_REFUSED, "10.0.0.2"))
    idle_writer.write_pending()
    assert [one.ip for one in event_store.kept[1:]] == ["10.0.0.2"]
    seconds += 10 * SUM_SECONDS
    idle_writer.write_pending()
    assert [one.times for one in event_store.kept] == [499, 1, 1]
    seconds += 10 * SUM_SECONDS
    idle_writer.write_pending()
    assert idle_writer._sums == {}


def test_sum_has_the_time_of_its_last_event(
    idle_writer: AuditWriter, event_store: EventStore
) -> None:
    """It is not lost when the process ends."""
    for i in range(3):
        idle_writer.enqueue(
            audit_record(EventType.THROTTLED)._replace(
                at=NOW + timedelta(seconds=i)
            )
        )
    idle_writer.close()
    assert [(one.at, one.times) for one in event_store.kept] == [
        (NOW, 1),
        (NOW + timedelta(seconds=2), 2),
    ]


def test_queue_and_sums_are_bounded(
    idle_writer: AuditWriter,
    event_store: EventStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says how many events are lost."""
    monkeypatch.setattr(writer, "MAX_QUEUED_EVENTS", 4)
    for i in range(6):
        idle_writer.enqueue(audit_record(user=str(i)))
    assert idle_writer.write_pending()
    assert [one.user_id for one in event_store.kept] == ["0", "1", "2", "3"]
    assert "2 events are not stored" in caplog.text
    for i in range(7):
        idle_writer.enqueue(audit_record(EventType.THROTTLED, f"10.0.0.{i}"))
    idle_writer.write_pending()
    assert len(event_store.kept) == 8
    assert "3 events are not stored" in caplog.text


@pytest.mark.slow
def test_events_of_many_networks_are_one_sum(
    idle_writer: AuditWriter,
    event_store: EventStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client with a /48 of IPv6 adds a bounded number of rows."""
    seconds = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: seconds)
    minutes, networks = 5, 1000
    kinds = (EventType.THROTTLED, EventType.SESSION_REFUSED)
    for minute in range(minutes):
        for i in range(networks):
            ip = f"2001:db8:0:{minute * networks + i:x}::1"
            for kind in kinds:
                idle_writer.enqueue(audit_record(kind, ip, user=str(i)))
        idle_writer.write_pending()
        seconds += SUM_SECONDS
    idle_writer.close()
    assert len(event_store.kept) <= minutes * (MAX_SUMS + 2 * len(kinds))
    assert sum(one.times for one in event_store.kept) == (
        minutes * networks * len(kinds)
    )
    rest = [one for one in event_store.kept if one.network is None]
    assert max(one.times for one in rest) > networks // 2
    assert {(one.user_id, one.ip) for one in rest} == {(None, None)}


def test_events_wait_while_the_database_is_unavailable(
    idle_writer: AuditWriter,
    event_store: EventStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each is written once when the database is available again."""
    event_store.error = ServiceBusy("database is locked")
    idle_writer.enqueue(audit_record(user="a"))
    assert not idle_writer.write_pending()
    idle_writer.enqueue(audit_record(user="b"))
    assert not idle_writer.write_pending()
    assert "cannot store events yet: database is locked" in caplog.text
    event_store.error = None
    assert idle_writer.write_pending()
    assert [one.user_id for one in event_store.kept] == ["a", "b"]


def test_batch_with_an_unexpected_error_is_dropped(
    idle_writer: AuditWriter,
    event_store: EventStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The events after it are written."""
    event_store.error = KeyError("a defect")
    idle_writer.enqueue(audit_record(user="a"))
    assert idle_writer.write_pending()
    assert "a defect" in caplog.text
    event_store.error = None
    idle_writer.enqueue(audit_record(user="b"))
    idle_writer.write_pending()
    assert [one.user_id for one in event_store.kept] == ["b"]


def test_no_event_is_queued_if_events_kept_is_zero(
    idle_writer: AuditWriter,
    event_store: EventStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `EVENTS_KEPT=0` nothing is stored."""
    monkeypatch.setenv("EVENTS_KEPT", "0")
    idle_writer.enqueue(audit_record())
    idle_writer.write_pending()
    assert event_store.kept == []


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

#!/usr/bin/env python3
"""The feed of events: each one once, however writers overtake each other."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text

from tests.threads import at_once
from vestibule.admin import cursor
from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.db import events
from vestibule.db.engine import database
from vestibule.db.events import Event
from vestibule.db.tables import EVENTS

WRITERS, BATCHES, BATCH = 6, 15, 4
MAX_WAIT_SECONDS = 30


@pytest.fixture(params=["sqlite", "postgresql", "pooled_schema"])
def address(request: pytest.FixtureRequest) -> str:
    """Run the test on each kind of database."""
    url: str = request.getfixturevalue(f"on_{request.param}")
    return url


def named(*names: str) -> list[Event]:
    """Return events of now that have these reasons."""
    return [Event(clock.now(), "login", reason=name) for name in names]


def pages(after: str, most: int = 7) -> Iterator[tuple[list[Event], str]]:
    """Yield the pages of the feed until one is empty."""
    while True:
        found, after = cursor.feed_events(most, after)
        if not found:
            return
        yield found, after


def read(after: str = "") -> tuple[list[str | None], str]:
    """Return the reasons of all events after a cursor, and the next one."""
    seen: list[str | None] = []
    for found, following in pages(after):
        seen += [each.reason for each in found]
        after = following
    return seen, after


def test_feed_is_in_the_order_of_storing(address: str) -> None:
    """A late event of the past comes after those that were read before."""
    events.insert_events(named("first", "second"))
    seen, after = read()
    past = [
        Event(one.at - timedelta(days=1), one.kind, reason=one.reason)
        for one in named("late")
    ]
    events.insert_events(past)
    assert seen == ["first", "second"]
    assert read(after)[0] == ["late"]
    assert read()[0] == ["first", "second", "late"]


@pytest.mark.slow
def test_feed_has_each_event_once_under_concurrent_writers(
    address: str,
) -> None:
    """A reader that continues while others write misses and repeats none."""
    writing = threading.Event()
    writing.set()

    def work(number: int) -> list[str | None]:
        """Write as one of many, or read as the first."""
        if number:
            for batch in range(BATCHES):
                keys = [f"{number} {batch} {key}" for key in range(BATCH)]
                events.insert_events(
                    [
                        Event(
                            clock.now() - timedelta(seconds=number * batch),
                            "login",
                            reason=key,
                        )
                        for key in keys
                    ]
                )
            return []
        seen: list[str | None] = []
        after = ""
        end = clock.monotonic() + MAX_WAIT_SECONDS
        while (
            len(seen) < WRITERS * BATCHES * BATCH and clock.monotonic() < end
        ):
            more, after = read(after)
            seen += more
        return seen

    seen = at_once(WRITERS + 1, work)[0]
    expected = {
        f"{number} {batch} {key}"
        for number in range(1, WRITERS + 1)
        for batch in range(BATCHES)
        for key in range(BATCH)
    }
    assert len(seen) == len(expected)
    assert set(seen) == expected
    assert read()[0] == seen


def test_slow_writer_is_not_overtaken(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions of a transaction that commits late are read as well."""
    inserted, may_commit = threading.Event(), threading.Event()
    insert = events._insert_event

    def insert_slowly(connection: Any, one: Event) -> None:
        """Insert, and let the slow writer wait before its commit."""
        insert(connection, one)
        if one.reason == "slow":
            inserted.set()
            assert may_commit.wait(MAX_WAIT_SECONDS)

    monkeypatch.setattr(events, "_insert_event", insert_slowly)
    slow = threading.Thread(target=events.insert_events, args=[named("slow")])
    fast = threading.Thread(target=events.insert_events, args=[named("fast")])
    slow.start()
    assert inserted.wait(MAX_WAIT_SECONDS)
    fast.start()
    fast.join(0.5)
    seen, after = read()
    may_commit.set()
    for thread in (slow, fast):
        thread.join(MAX_WAIT_SECONDS)
    seen += read(after)[0]
    assert seen == ["slow", "fast"]


def test_purge_does_not_begin_the_count_again(address: str) -> None:
    """A cursor stays valid if all events are deleted meanwhile."""
    events.insert_events(named("a", "b", "c"))
    _, after = read()
    with database().transaction() as connection:
        connection.execute(delete(EVENTS))
    assert read(after) == ([], after)
    events.insert_events(named("d"))
    assert read(after)[0] == ["d"]


def test_cursor_of_the_future_is_refused(address: str) -> None:
    """After the restore of a backup a client must not wait in silence."""
    events.insert_events(named("a", "b"))
    _, after = read()
    with database().transaction() as connection:
        connection.execute(delete(EVENTS))
        connection.execute(text("UPDATE event_positions SET last = 1"))
    with pytest.raises(InvalidValue):
        read(after)


@pytest.mark.parametrize("after", ["x", "0", "1", "-1", "WyIxIl0="])
def test_malformed_cursor_is_refused(after: str) -> None:
    """So is a position without the digest of its list."""
    with pytest.raises(InvalidValue):
        read(after)


def test_failed_transaction_takes_no_position(address: str) -> None:
    """The events of the next one follow without a gap."""
    events.insert_events(named("a"))
    with pytest.raises(ZeroDivisionError), database().transaction() as broken:
        events._take_positions(broken, 5)
        raise ZeroDivisionError
    events.insert_events(named("b"))
    found, _ = cursor.feed_events(10, "")
    assert [each.position for each in found] == [1, 2]

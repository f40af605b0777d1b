#!/usr/bin/env python3
"""Events in the database: kept in order, found by page, dropped by age."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import delete, insert, text
from sqlalchemy.exc import IntegrityError

from tests.statements import recorded
from vestibule.db import events, hourly_counts
from vestibule.db.engine import database
from vestibule.db.events import (
    Event,
    EventFilter,
    fetch_page,
    insert_events,
    purge_batch,
)
from vestibule.db.hourly_counts import Bucket
from vestibule.db.models.user import User
from vestibule.db.tables import EVENTS

NOON = datetime(2026, 3, 29, 12, 0, 0, 123_457, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
#: The first and last date, which no event's number reaches.
FIRST = datetime.min.replace(tzinfo=timezone.utc)
LAST = datetime.max.replace(tzinfo=timezone.utc)
FULL = Event(
    NOON,
    "login",
    "bob",
    "amy",
    "2001:db8::7",
    "2001:db8::/64",
    "Mozilla/5.0 \u00e9",
    "handle",
    "reason",
    3,
    4,
)

pytestmark = pytest.mark.usefixtures("any_database")


def _at(
    seconds: float,
    user_id: str = "bob",
    kind: str = "login",
    network: str = "10.0.0.1/32",
) -> Event:
    """Return an event so many seconds after noon."""
    return Event(NOON + seconds * SECOND, kind, user_id, network=network)


def _kinds(wanted: EventFilter = EventFilter(), most: int = 100) -> list[str]:
    """Return the kinds of the events that are found, newest first."""
    return [one.kind for one in fetch_page(wanted, most).events]


def test_stored_event_is_read_back_unchanged() -> None:
    """Each field, the moment to the microsecond; missing ones too."""
    bare = Event(NOON + SECOND, "logout")
    insert_events([FULL, bare])
    found = fetch_page(EventFilter(), 10).events
    assert [replace(one, id=None) for one in found] == [bare, FULL]
    assert all(isinstance(one.id, int) for one in found)


def test_empty_table_is_no_error() -> None:
    """Storing, finding and purging nothing works."""
    insert_events([])
    assert fetch_page(EventFilter(user_id="bob"), 10) == ([], None)
    assert purge_batch(NOON) == 0


@pytest.mark.slow
def test_events_of_one_moment_keep_their_order() -> None:
    """Many of one microsecond, in one go and in several; none is lost."""
    number = 600
    insert_events([_at(0, kind=str(i)) for i in range(300)])
    for i in range(300, number):
        insert_events([_at(0, kind=str(i))])
    found = fetch_page(EventFilter(), 1000).events
    assert [int(one.kind) for one in found] == list(range(number))[::-1]
    assert {one.at for one in found} == {
        NOON + timedelta(microseconds=i) for i in range(3)
    }


def test_events_are_ordered_by_time() -> None:
    """The order of arrival does not count: a sum of a minute comes late."""
    insert_events([_at(2, kind="c"), _at(0, kind="a")])
    insert_events([_at(1, kind="b")])
    assert _kinds() == ["c", "b", "a"]


def test_each_event_is_on_one_page() -> None:
    """Other events may be added between two pages."""
    insert_events([_at(i, kind=str(i)) for i in range(10)])
    insert_events([_at(i, "amy") for i in range(10)])
    seen: list[str] = []
    before = None
    while True:
        found, before = fetch_page(EventFilter(user_id="bob"), 3, before)
        seen += [one.kind for one in found]
        insert_events([_at(100 + len(seen), kind="new")])
        if before is None:
            break
    assert seen == [str(i) for i in range(10)][::-1]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (EventFilter(), "edcba"),
        (EventFilter(user_id="bob"), "eba"),
        (EventFilter(kind="c"), "c"),
        (EventFilter(network="n2"), "ed"),
        (EventFilter(user_id="bob", network="n2"), "e"),
        (EventFilter(since=NOON + SECOND), "edcb"),
        (EventFilter(until=NOON + SECOND), "a"),
        (EventFilter(since=NOON + SECOND, until=NOON + 3 * SECOND), "cb"),
        (EventFilter(user_id="bob", since=NOON + SECOND), "eb"),
        (EventFilter(since=FIRST, until=LAST), "edcba"),
        (EventFilter(until=FIRST), ""),
        (EventFilter(since=LAST), ""),
        (EventFilter(user_id="' OR 1=1 --"), ""),
    ],
)
def test_filters_combine(wanted: EventFilter, kinds: str) -> None:
    """By user, kind, network and time, and all of these together."""
    insert_events(
        [
            _at(0, "bob", "a", "n1"),
            _at(1, "bob", "b", "n1"),
            _at(2, "amy", "c", "n1"),
            _at(3, "amy", "d", "n2"),
            _at(4, "bob", "e", "n2"),
        ]
    )
    assert "".join(_kinds(wanted)) == kinds


def test_purge_deletes_the_oldest_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never more than a batch at once, and nothing after the given moment."""
    monkeypatch.setattr(events, "MAX_PURGE_ROWS", 3)
    insert_events([_at(i, kind=str(i)) for i in range(8)])
    gone = [purge_batch(NOON + 5 * SECOND) for _ in range(3)]
    assert gone == [3, 2, 0]
    assert _kinds() == ["7", "6", "5"]


def test_purge_of_nothing_takes_no_write_lock() -> None:
    """While another connection writes, such a purge returns at once."""
    insert_events([_at(0)])
    done = threading.Event()

    def sweep() -> None:
        """Purge what is older than noon, in a thread of its own."""
        purge_batch(NOON)
        done.set()
        database().close()

    with database().transaction():
        thread = threading.Thread(target=sweep)
        thread.start()
        assert done.wait(4)
    thread.join()


def test_last_logins_are_written_in_one_order() -> None:
    """Two writers of the same logins do not wait for each other."""
    with recorded() as statements:
        insert_events([_at(i, user) for i, user in enumerate("cabac")])
    written = [
        next(user for user in "abc" if user in each.parameters.values())
        for each in statements
        if each.text.startswith("UPDATE users")
    ]
    assert written == ["a", "b", "c"]


@pytest.mark.parametrize("seconds", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_latest_login_counts_in_any_order(seconds: tuple[int, ...]) -> None:
    """The order in which logins are stored makes no difference."""
    user = User()
    user.save()
    insert_events([_at(second, user.id) for second in seconds])
    insert_events([_at(1, user.id)])
    stored = User.get(user.id)
    assert stored is not None
    assert stored.signed_in_at == NOON + 2 * SECOND


def test_failed_batch_stores_no_event() -> None:
    """Events that are stored together are all stored or none."""
    broken = replace(_at(1), kind=None)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        insert_events([_at(0), broken])
    assert fetch_page(EventFilter(), 10) == ([], None)


def test_concurrent_writers_lose_no_event() -> None:
    """Threads, each on a connection of its own, with the same numbers."""
    start = threading.Barrier(4)

    def write(name: str) -> None:
        """Store some, all of the same moment."""
        start.wait()
        for i in range(20):
            insert_events([_at(0, name, kind=str(i))])
        database().close()

    database()
    threads = [
        threading.Thread(target=write, args=(f"u{i}",)) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        found = fetch_page(EventFilter(user_id=f"u{i}"), 100).events
        assert {int(one.kind) for one in found} == set(range(20))


@pytest.mark.parametrize("any_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (EventFilter(user_id="bob"), "events_user_id"),
        (EventFilter(kind="a"), "events_kind"),
        (EventFilter(network="n"), "events_network"),
        (EventFilter(user_id="bob", kind="a", network="n"), "events_user_id"),
        (EventFilter(kind="a", network="n"), "events_network"),
    ],
)
def test_each_page_uses_an_index(wanted: EventFilter, index: str) -> None:
    """It is entered where the page before ended, and nothing is sorted."""
    name = index.removeprefix("events_")
    for statement, way in (
        (events._page_statement(wanted, 50, 1 << 60, None), "INDEX"),
        (events._scan_end_statement(wanted, 1 << 60), "COVERING INDEX"),
    ):
        asked = statement.compile(
            database().engine, compile_kwargs={"literal_binds": True}
        )
        plan = database().fetch_all(text(f"EXPLAIN QUERY PLAN {asked}"))
        assert [row[-1] for row in plan] == [
            f"SEARCH events USING {way} {index} ({name}=? AND id<?)"
        ]


def _robot(number: int) -> None:
    """Store one failure, and so many logins of the same user after it."""
    first, last = _at(0, kind="login_failed"), _at(1)
    insert_events([first])
    row = {
        name: getattr(last, name)
        for name in ("kind", "user_id", "network", "times")
    }
    (failed,) = fetch_page(EventFilter(), 1).events
    assert failed.id is not None
    with database().transaction() as connection:
        if rows := [row | {"id": failed.id + 1 + i} for i in range(number)]:
            connection.execute(insert(EVENTS), rows)


#: Two conditions at once; few events meet the second.
RARE = (
    EventFilter("bob", "login_failed"),
    EventFilter(kind="login_failed", network="10.0.0.1/32"),
    EventFilter("bob", "login_failed", "10.0.0.1/32", since=NOON),
)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", RARE)
@pytest.mark.parametrize(
    ("number", "pages"), [(0, 1), (999, 1), (1000, 2), (5000, 6)]
)
def test_rare_events_are_found_over_several_pages(
    wanted: EventFilter, number: int, pages: int
) -> None:
    """A page may be short or empty, and then has a cursor to continue from."""
    _robot(number)
    found, asked = fetch_page(wanted, 10), 1
    while found.next is not None:
        assert found.events == []
        found, asked = fetch_page(wanted, 10, found.next), asked + 1
    assert [one.kind for one in found.events] == ["login_failed"]
    assert asked == pages


def test_frequent_events_fill_each_page() -> None:
    """Two conditions that many events meet leave no page short."""
    _robot(3000)
    seen: list[int | None] = []
    before = None
    while len(seen) < 3000:
        found, before = fetch_page(EventFilter("bob", "login"), 200, before)
        assert len(found) == 200
        seen += [one.id for one in found]
    assert before is None
    assert len({*seen}) == 3000
    assert seen == sorted(seen, key=lambda id: -(id or 0))


@pytest.mark.slow
@pytest.mark.parametrize("any_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wanted", RARE)
def test_page_scans_a_bounded_number_of_rows(wanted: EventFilter) -> None:
    """The work of SQLite is the same beside 5,000 others as beside 2,000."""
    _robot(2000)
    few = _work(wanted)
    with database().transaction() as connection:
        connection.execute(delete(EVENTS))
    _robot(5000)
    assert _work(wanted) == pytest.approx(few, rel=0.02)


@pytest.mark.parametrize("any_database", ["sqlite"], indirect=True)
def test_deep_page_scans_no_more_rows_than_the_first() -> None:
    """A page far before the requested end costs the same."""
    _robot(2000)
    wanted = EventFilter("bob", until=NOON + 100 * SECOND)
    deep = None
    for _ in range(9):
        deep = fetch_page(wanted, 200, deep).next
    assert _work(wanted, deep) == pytest.approx(_work(wanted), rel=0.02)


def _work(wanted: EventFilter, before: int | None = None) -> int:
    """Return the steps that SQLite takes for a page."""
    steps = 0

    def step() -> None:
        """Count one more."""
        nonlocal steps
        steps += 1

    fetch_page(wanted, 10, before)
    with database().connection() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(step, 1)
        try:
            fetch_page(wanted, 10, before)
        finally:
            driver.set_progress_handler(None, 1)
    return steps


def test_hours_are_summed_by_slots_of_any_length(any_database: str) -> None:
    """Large amounts stay exact; the hours before the start are left out."""
    large = 2**53 + 1
    hourly_counts.set_gauge(
        {
            Bucket(hour, name): large + hour
            for hour in range(99, 124)
            for name in ("login", "sessions")
        }
    )
    for step in (1, 6, 24):
        assert hourly_counts.fetch_sums(100, step) == {
            Bucket(first, name): sum(
                large + hour for hour in range(first, first + step)
            )
            for first in range(100, 124, step)
            for name in ("login", "sessions")
        }
    assert list(hourly_counts.fetch_gauge(122, "sessions").items()) == [
        (122, large + 122),
        (123, large + 123),
    ]
    assert hourly_counts.fetch_sums(124, 24) == {}

#!/usr/bin/env python3
"""The queue of mails: leases, failures, and the plans of its queries."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.core import clock
from vestibule.db import mail_search, outgoing_mails
from vestibule.db.engine import database
from vestibule.db.mail_search import MAIL_SORTS, MailFilter
from vestibule.db.outgoing_mails import (
    FAILED,
    LEASE,
    NOTHING,
    QUEUED,
    RETRY_WAITS,
    SENT,
    NewMail,
)
from vestibule.db.tables import OUTGOING_MAILS

HOUR = timedelta(hours=1)
#: Rows of the table whose plans are looked at: so few that they are stored
#: quickly, so many that an index is cheaper than the table.
ROWS = 5_000

pytestmark = pytest.mark.usefixtures("any_database")


def queue(number: int, lifetime: timedelta = HOUR) -> None:
    """Queue mails."""
    outgoing_mails.add(
        [
            NewMail("test", f"{index}@example.com", lifetime)
            for index in range(number)
        ]
    )


def states() -> list[tuple[str, int, str | None]]:
    """Return the state, the tries and the error of each mail."""
    return [
        (mail.state, mail.tries, mail.error)
        for mail in mail_search.newest(ROWS)
    ]


def test_mails_are_leased_once_by_several_processes() -> None:
    """No two have the same mail, and each is leased."""
    queue(40)
    leases = at_once(4, lambda _: outgoing_mails.lease(10))
    ids = [mail.id for leased in leases for mail in leased]
    while more := outgoing_mails.lease(10):
        ids += [mail.id for mail in more]
    assert len(ids) == len(set(ids)) == 40


def test_lease_ends_after_a_minute(set_clock: SetClock) -> None:
    """A process that was killed holds its mails no longer."""
    queue(1)
    assert len(outgoing_mails.lease(9)) == 1
    set_clock.advance(LEASE.total_seconds() - 1)
    assert outgoing_mails.lease(9) == []
    set_clock.advance(1)
    (mail,) = outgoing_mails.lease(9)
    assert mail.tries == 2


def test_mails_behind_expired_ones_are_leased(set_clock: SetClock) -> None:
    """However many have expired; those fail, and are no attempt."""
    queue(5, timedelta(seconds=5))
    set_clock.advance(1)
    queue(2)
    set_clock.advance(4)
    assert [len(outgoing_mails.lease(2)) for _ in range(3)] == [1, 1, 0]
    assert sorted(map(str, states())) == sorted(
        map(
            str,
            [(FAILED, 0, "expired")] * 5 + [(QUEUED, 1, None)] * 2,
        )
    )
    set_clock.advance(LEASE.total_seconds())
    mails = outgoing_mails.lease(9)
    outgoing_mails.mark_failed(mails, "451 later")
    set_clock.advance(HOUR.total_seconds())
    assert outgoing_mails.lease(9) == []
    assert states()[:2] == [(FAILED, 2, "451 later")] * 2


def test_failures_are_recorded_at_once(set_clock: SetClock) -> None:
    """Each mail waits by its own tries, and a sent one stays sent."""
    queue(1)
    (old,) = outgoing_mails.lease(9)
    outgoing_mails.mark_failed([old], "451 later")
    set_clock.advance(RETRY_WAITS[0].total_seconds())
    queue(2)
    mails = outgoing_mails.lease(9)
    sent = next(mail for mail in mails if mail.id != old.id)
    outgoing_mails.mark_sent([sent.id])
    outgoing_mails.mark_failed(mails, "connection refused")
    found = {mail.id: mail for mail in mail_search.newest(9)}
    assert found.pop(sent.id).state == SENT
    assert {
        (mail.id == old.id, mail.due_at - clock.now())
        for mail in found.values()
    } == {(True, RETRY_WAITS[1]), (False, RETRY_WAITS[0])}


def test_lease_has_no_more_mails_than_it_may() -> None:
    """However the database plans the statement."""
    queue(50)
    for most in (1, 7, 100):
        assert len(outgoing_mails.lease(most)) == min(most, 42)


def test_release_is_no_attempt() -> None:
    """The mails are due at once."""
    queue(3)
    outgoing_mails.release(outgoing_mails.lease(9))
    assert [mail.tries for mail in outgoing_mails.lease(9)] == [1] * 3


def test_requests_for_one_address_at_once_queue_one_mail() -> None:
    """The transaction that counts also inserts, and no other comes between.

    Each looks before another has stored its mail; the case of the letters
    does not matter.
    """
    limits = ((1, timedelta(minutes=1)),)
    results = at_once(
        8,
        lambda number: outgoing_mails.add_within_limits(
            NewMail("reset", f"{'bB'[number % 2]}ob@example.com", HOUR),
            ("reset",),
            limits,
        ),
    )
    assert sorted(results) == [False] * 7 + [True]
    assert len(mail_search.newest(9)) == 1


def test_state_of_the_queue_has_counts_and_the_oldest(
    set_clock: SetClock,
) -> None:
    """The oldest waits still; rows that send nothing do not count."""
    outgoing_mails.add([NewMail(NOTHING, "x@example.com", HOUR)])
    queue(1)
    (first,) = [
        mail for mail in outgoing_mails.lease(9) if mail.kind != NOTHING
    ]
    set_clock.advance(10)
    queue(2)
    assert outgoing_mails.queue_state() == (
        outgoing_mails.QueueState(3, 0, 0, first.created_at)
    )
    outgoing_mails.mark_sent([first.id])
    second = clock.now()
    set_clock.advance(10)
    queue(1)
    outgoing_mails.drop(mail_search.newest(1)[0].id)
    assert outgoing_mails.queue_state() == (
        outgoing_mails.QueueState(2, 1, 1, second)
    )


def fill() -> None:
    """Store a week of mails: most were sent, some wait or failed."""
    now = clock.now()
    rows = [
        {
            "id": f"id-{number}",
            "created_at": now - timedelta(seconds=number * 100),
            "kind": "test",
            "user_id": f"user-{number % 500}",
            "address": f"{number % 500}@example.com",
            "address_key": f"{number % 500}@example.com",
            "network": f"192.0.{number % 250}.0/24",
            "state": {0: QUEUED, 1: FAILED}.get(number % 100, SENT),
            "due_at": now - timedelta(seconds=number * 100),
            "expires_at": now + HOUR,
            "sent_at": now - timedelta(seconds=number * 100),
        }
        for number in range(ROWS)
    ]
    with database().transaction() as connection:
        connection.execute(insert(OUTGOING_MAILS), rows)
        connection.execute(text("ANALYZE outgoing_mails"))


def plans(work: Callable[[], object]) -> list[str]:
    """Return the plans of the statements on the table that `work` runs."""
    seen: list[tuple[str, Any]] = []

    def remember(_: Any, __: Any, statement: str, *given: Any) -> None:
        """Remember a statement and its parameters."""
        if "outgoing_mails" in statement:
            seen.append((statement, given[0]))

    engine = database().engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", remember)
    assert seen
    explain = "EXPLAIN QUERY PLAN " if database().is_sqlite else "EXPLAIN "
    with database().transaction() as connection:
        return [
            "\n".join(
                str(row[-1])
                for row in connection.exec_driver_sql(explain + each, given)
            )
            for each, given in seen
        ]


def list_of(**given: Any) -> Callable[[], object]:
    """Return a function that shows the first two pages of mails."""
    wanted = MailFilter(**given)

    def show() -> None:
        """Show the first page, then the one after it."""
        first = mail_search.search_page(wanted, 25, None)
        assert len(first.mails) == 25 and first.next
        second = mail_search.search_page(wanted, 25, first.next)
        assert len(second.mails) == 25

    return show


def ask_for_limits() -> None:
    """Count what the limits of an address, a network and an hour count."""
    since = clock.now() - HOUR
    outgoing_mails.count_sent_since(since)
    outgoing_mails.count_from_network("192.0.7.0/24", since)
    outgoing_mails.moments_for_address("7@example.com", ["test"], since)
    outgoing_mails.has_mail_since("user-7", "test", since)


@pytest.mark.slow
def test_queries_of_the_queue_use_indexes() -> None:
    """None reads or sorts the whole table, however long a week was."""
    fill()
    queries: dict[str, Callable[[], object]] = {
        "lease": lambda: outgoing_mails.lease(100),
        "limits": ask_for_limits,
        "user": lambda: mail_search.newest(25, user_id="user-7"),
        **{f"list by {sort}": list_of(sort=sort) for sort in MAIL_SORTS},
    }
    if database().is_sqlite:
        # PostgreSQL may read the table for counts of all rows.
        queries["state"] = outgoing_mails.queue_state
    for name, work in queries.items():
        for plan in plans(work):
            # An index that has all columns is read instead of the table.
            assert not re.search(
                r"Seq Scan|SCAN outgoing_mails(?! USING)", plan
            ), (name, plan)
            if name.startswith("list"):
                # Rows with the same values are sorted by id.
                assert not re.search(
                    r"(^|-> +)Sort  \(|FOR ORDER BY", plan, re.M
                ), (name, plan)

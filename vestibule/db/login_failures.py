#!/usr/bin/env python3
"""The failures table: counters of failed logins that all processes share.

A transaction that changes several counters locks the account's row first
and the network's last, so that two transactions never deadlock. The failures
of a second factor stand in its own row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from vestibule.db.column_types import UTCMoment, parse_moment
from vestibule.db.engine import database
from vestibule.db.factor_tables import FACTORS
from vestibule.db.statements import delete_in_batches, insert_into
from vestibule.db.tables import FAILURES

#: Failures in a row after which a factor is switched off. NIST SP
#: 800-63B-4, 3.2.2 allows 100.
MAX_FAILURES_IN_A_ROW = 50
#: How far the clocks of two machines may differ.
SKEW = timedelta(seconds=10)


class FailureCount(NamedTuple):
    """The number of failures, and the time of the last one."""

    number: int = 0
    last_at: datetime | None = None


class CounterKeys(NamedTuple):
    """The keys of the three counters that a login attempt changes."""

    account: str
    #: The account's failures from this network alone. They delay no login:
    #: they are what a success subtracts from the network's counter.
    pair: str
    network: str


class Window(NamedTuple):
    """The period that a counter's last failure must be in to count."""

    since: datetime
    until: datetime


class FailureCounts(NamedTuple):
    """The two counters that can delay an attempt."""

    account: FailureCount
    network: FailureCount


_ACCOUNT = FAILURES.alias("of_account")
_NETWORK = FAILURES.alias("of_network")
_ONE_ROW = select(literal_column("1")).subquery("always")
# The outer joins give one row in any case, so one query reads both.
_SELECT_BOTH = select(
    _ACCOUNT.c["count"],
    _ACCOUNT.c.last_at,
    _NETWORK.c["count"],
    _NETWORK.c.last_at,
).select_from(
    _ONE_ROW.outerjoin(
        _ACCOUNT, _ACCOUNT.c.key == bindparam("account")
    ).outerjoin(_NETWORK, _NETWORK.c.key == bindparam("network"))
)
_COUNT = FAILURES.c["count"]


def read_counts(keys: CounterKeys) -> FailureCounts:
    """Return the stored counters of the account and of the network."""
    row = database().fetch_one(
        _SELECT_BOTH, {"account": keys.account, "network": keys.network}
    )
    if row is None:
        return FailureCounts(FailureCount(), FailureCount())
    return FailureCounts(_failure_count(*row[:2]), _failure_count(*row[2:]))


def read_count(key: str) -> FailureCount:
    """Return the stored counter of one key."""
    found: Sequence[Any] = database().fetch_all(
        select(_COUNT, FAILURES.c.last_at).where(FAILURES.c.key == key)
    )
    return (
        _failure_count(found[0][0], found[0][1]) if found else FailureCount()
    )


def delete_counts(keys: Sequence[str]) -> bool:
    """Delete counters; return True if there was one."""
    with database().transaction() as connection:
        return (
            connection.execute(
                delete(FAILURES).where(FAILURES.c.key.in_(keys))
            ).rowcount
            > 0
        )


def add_attempt(
    keys: CounterKeys,
    now: datetime,
    window: Window,
    allow: Callable[[FailureCounts], None] | None = None,
) -> None:
    """Count an attempt at `now` on all counters, in one transaction.

    A counter outside the `window` starts again at 1. `allow` gets the
    locked counters, and raises an error if the attempt is not allowed;
    then it is not counted.
    """
    with database().transaction() as connection:
        if allow is not None:
            allow(
                FailureCounts(
                    _read_locked(connection, keys.account),
                    _read_locked(connection, keys.network),
                )
            )
        for key in keys:
            fresh = insert_into(FAILURES).values(key=key, count=1, last_at=now)
            connection.execute(
                fresh.on_conflict_do_update(
                    index_elements=["key"],
                    set_={
                        "count": case(
                            (_outside_window(window), 1), else_=_COUNT + 1
                        ),
                        "last_at": now,
                    },
                )
            )


def reset(
    keys: CounterKeys,
    window: Window,
    counted: tuple[datetime, datetime | None] | None,
) -> None:
    """Delete the account's counter; reduce that of the network.

    The failures of this account from this network are subtracted from the
    network's counter. Only one of several concurrent transactions gets the
    count of the deleted row, so no failure is subtracted twice. `counted`
    has the time at which this attempt was counted in advance, and the time
    of the network's last failure before that; it is `None` if the attempt
    was not counted in advance.
    """
    with database().transaction() as connection:
        deleted = connection.execute(
            delete(FAILURES).where(FAILURES.c.key == keys.account)
        ).rowcount
        if not deleted:
            return
        own = connection.execute(
            delete(FAILURES)
            .where(FAILURES.c.key == keys.pair)
            .returning(_COUNT, FAILURES.c.last_at)
        ).first()
        if own is None or not window.since <= own.last_at <= window.until:
            return
        number = own[0]
        statement = update(FAILURES).where(FAILURES.c.key == keys.network)
        connection.execute(
            statement.values(
                {"count": case((number < _COUNT, _COUNT - number), else_=0)}
            )
        )
        if counted is not None and counted[1] is not None:
            connection.execute(
                statement.where(FAILURES.c.last_at == counted[0]).values(
                    last_at=counted[1]
                )
            )


def purge(window: Window) -> int:
    """Delete the counters outside the `window`; return how many."""
    return delete_in_batches(FAILURES, _outside_window(window))


def _outside_window(window: Window) -> ColumnElement[bool]:
    """Return the condition that a row's last failure is not in `window`."""
    last_at = FAILURES.c.last_at
    return or_(last_at < window.since, last_at > window.until)


def _read_locked(connection: Connection, key: str) -> FailureCount:
    """Return a counter, locked until the end of the transaction.

    On SQLite the transaction holds the write lock already, and SQLAlchemy
    leaves `FOR UPDATE` out.
    """
    row = connection.execute(
        select(_COUNT, FAILURES.c.last_at)
        .where(FAILURES.c.key == key)
        .with_for_update()
    ).first()
    return FailureCount() if row is None else _failure_count(row[0], row[1])


def _failure_count(
    number: int | None, last_at: str | datetime | None
) -> FailureCount:
    """Return the counter of two columns, which are NULL without a row."""
    if number is None:
        return FailureCount()
    return FailureCount(number, parse_moment(last_at))


@dataclass(frozen=True)
class Waits:
    """The waits after failures: for each number, since when they are over.

    `over` has the latest time of the last failure at which the wait after
    so many failures is over; a number that it lacks needs `longest`, unless
    it is at most `free`.
    """

    now: datetime
    free: int
    over: Mapping[int, datetime]
    longest: datetime


def begin_attempt(factor_id: str, waits: Waits) -> int | None:
    """Count a failure in advance; return the number of them in a row.

    Return `None`, and count nothing, if the factor is switched off, must
    wait, or is gone. This is one UPDATE, so concurrent attempts queue up
    at the row and each sees the count of the one before.
    """
    moments = {f"over_{number}": at for number, at in waits.over.items()}
    with database().transaction() as connection:
        counted = connection.scalar(
            _count_attempt(tuple(waits.over)),
            {
                **moments,
                "factor": factor_id,
                "free": waits.free,
                "now": waits.now,
                "ahead": waits.now + SKEW,
                "longest": waits.longest,
            },
        )
    return None if counted is None else int(counted)


@cache
def _count_attempt(numbers: tuple[int, ...]) -> ReturningUpdate[Any]:
    """Return the UPDATE for these numbers of failures, made only once."""
    failures, failed_at = FACTORS.c.failures, FACTORS.c.failed_at
    allowed = or_(
        failures <= bindparam("free"),
        failed_at.is_(None),
        # A clock was set back.
        failed_at > bindparam("ahead", type_=UTCMoment),
        failed_at <= bindparam("longest", type_=UTCMoment),
        *(
            and_(
                failures == number,
                failed_at <= bindparam(f"over_{number}", type_=UTCMoment),
            )
            for number in numbers
        ),
    )
    return (
        update(FACTORS)
        .where(
            FACTORS.c.id == bindparam("factor"),
            failures < MAX_FAILURES_IN_A_ROW,
            allowed,
        )
        .values(
            failures=failures + 1, failed_at=bindparam("now", type_=UTCMoment)
        )
        .returning(failures)
    )


def take_back_attempt(factor_id: str) -> None:
    """Take a count back: the code was one of another factor of the user."""
    failures = FACTORS.c.failures
    with database().transaction() as connection:
        connection.execute(
            update(FACTORS)
            .where(FACTORS.c.id == factor_id)
            .values(failures=case((failures > 0, failures - 1), else_=0))
        )

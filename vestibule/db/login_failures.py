#!/usr/bin/env python3
"""The failures table: counters of failed logins that all processes share.

A transaction that changes several counters locks the account's row first
and the network's last, so that two transactions never deadlock.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    literal_column,
    or_,
    select,
    update,
)

from vestibule.db.column_types import parse_moment
from vestibule.db.engine import database
from vestibule.db.statements import delete_in_batches, insert_into
from vestibule.db.tables import FAILURES


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

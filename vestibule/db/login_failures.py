#!/usr/bin/env python3
"""The counters of failed attempts, as rows that all processes share.

Its law: whoever changes several counters takes the account's row first
and the network's last, so that two transactions never wait for each other.
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

from vestibule.db.engine import database
from vestibule.db.statements import delete_in_batches, insert_into
from vestibule.db.tables import FAILURES, parse_moment


class FailureCount(NamedTuple):
    """How many failures, and when the last one was."""

    number: int = 0
    last_at: datetime | None = None


class CounterKeys(NamedTuple):
    """The keys of the counters that an attempt concerns."""

    account: str
    #: That of the account's failures from this network alone: nobody waits
    #: for them, they say what a success takes off the network.
    pair: str
    network: str


class Window(NamedTuple):
    """The time from which a counter's last failure must be to count."""

    since: datetime
    until: datetime


class FailureCounts(NamedTuple):
    """The two counters for which an attempt may have to wait."""

    account: FailureCount
    network: FailureCount


_ACCOUNT = FAILURES.alias("of_account")
_NETWORK = FAILURES.alias("of_network")
_ONE_ROW = select(literal_column("1")).subquery("always")
# One row whatever there is, so that both come by one look-up.
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
    """Return both counters as they are."""
    row = database().fetch_one(
        _SELECT_BOTH, {"account": keys.account, "network": keys.network}
    )
    if row is None:
        return FailureCounts(FailureCount(), FailureCount())
    return FailureCounts(_failure_count(*row[:2]), _failure_count(*row[2:]))


def read_count(key: str) -> FailureCount:
    """Return one counter as it is."""
    found: Sequence[Any] = database().fetch_all(
        select(_COUNT, FAILURES.c.last_at).where(FAILURES.c.key == key)
    )
    return (
        _failure_count(found[0][0], found[0][1]) if found else FailureCount()
    )


def delete_counts(keys: Sequence[str]) -> bool:
    """Drop counters; tell if there was one."""
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
    era: Window,
    allow: Callable[[FailureCounts], None] | None = None,
) -> None:
    """Count an attempt at `now` on all counters, in one transaction.

    One that is not of the `era` begins anew. `allow` is given the
    counters as nobody else can change them, and raises what keeps the
    attempt from being counted.
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
                            (_outside_window(era), 1), else_=_COUNT + 1
                        ),
                        "last_at": now,
                    },
                )
            )


def reset(
    keys: CounterKeys,
    era: Window,
    claimed: tuple[datetime, datetime | None] | None,
) -> None:
    """Drop the account's counter; take off the network's what failed there.

    On this account from this network, that is. The row's deletion tells
    its count to one of several at once, so the same failures are never
    taken off twice. `claimed` is the moment at
    which this attempt was counted, and the network's last failure before.
    """
    with database().transaction() as connection:
        gone = connection.execute(
            delete(FAILURES).where(FAILURES.c.key == keys.account)
        ).rowcount
        if not gone:
            return
        own = connection.execute(
            delete(FAILURES)
            .where(FAILURES.c.key == keys.pair)
            .returning(_COUNT, FAILURES.c.last_at)
        ).first()
        if own is None or not era.since <= own.last_at <= era.until:
            return
        number = own[0]
        statement = update(FAILURES).where(FAILURES.c.key == keys.network)
        connection.execute(
            statement.values(
                {"count": case((number < _COUNT, _COUNT - number), else_=0)}
            )
        )
        if claimed is not None and claimed[1] is not None:
            connection.execute(
                statement.where(FAILURES.c.last_at == claimed[0]).values(
                    last_at=claimed[1]
                )
            )


def purge(era: Window) -> int:
    """Delete the counters that are not of the `era`; count them."""
    return delete_in_batches(FAILURES, _outside_window(era))


def _outside_window(era: Window) -> ColumnElement[bool]:
    """Return the condition that a row's last failure does not count."""
    last_at = FAILURES.c.last_at
    return or_(last_at < era.since, last_at > era.until)


def _read_locked(connection: Connection, key: str) -> FailureCount:
    """Return a counter that nobody else changes in this transaction.

    SQLite has the write lock already, and leaves `FOR UPDATE` out.
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
    """Return the counter of two columns, which are null without a row."""
    if number is None:
        return FailureCount()
    return FailureCount(number, parse_moment(last_at))

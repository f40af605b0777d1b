#!/usr/bin/env python3
"""The hourly table: counts of events by the hour, for statistics.

A statistic is of a few thousand rows, however many events there were: the
counts are added up when events are written, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from vestibule.db.engine import database
from vestibule.db.statements import delete_in_batches, insert_into
from vestibule.db.tables import HOURLY

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


class Bucket(NamedTuple):
    """An hour, counted from 1970 in UTC, and the name of a count."""

    hour: int
    name: str


def hour_of(moment: datetime) -> int:
    """Return the number of the hour that contains a moment."""
    return (moment - EPOCH) // HOUR


def start_of_hour(hour: int) -> datetime:
    """Return the first moment of an hour."""
    return EPOCH + hour * HOUR


def add_counts(connection: Connection, amounts: Mapping[Bucket, int]) -> None:
    """Add amounts to the counts, within the caller's transaction.

    The rows are locked in a fixed order, so that two transactions never
    wait for each other.
    """
    if not amounts:
        return
    statement = insert_into(HOURLY)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["hour", "name"],
            set_={"amount": HOURLY.c.amount + statement.excluded.amount},
        ),
        _rows(amounts),
    )


def set_gauge(amounts: Mapping[Bucket, int]) -> None:
    """Store gauges: each replaces the amount that its bucket had."""
    statement = insert_into(HOURLY)
    with database().transaction() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["hour", "name"],
                set_={"amount": statement.excluded.amount},
            ),
            _rows(amounts),
        )


def fetch_since(hour: int) -> dict[Bucket, int]:
    """Return all counts and gauges from an hour on."""
    found: Sequence[Any] = database().fetch_all(
        select(HOURLY.c.hour, HOURLY.c.name, HOURLY.c.amount).where(
            HOURLY.c.hour >= hour
        )
    )
    return {Bucket(hour, name): amount for hour, name, amount in found}


def fetch_sums(start: int, step: int) -> dict[Bucket, int]:
    """Return the sums of counts from the hour `start` on.

    The hour of a bucket is the first one of `step` hours. The database adds
    up: to read each row takes ten times as long.
    """
    hour = HOURLY.c.hour
    rows = (
        select(
            ((hour - start) // step).label("slot"),
            HOURLY.c.name,
            HOURLY.c.amount,
        )
        .where(hour >= start)
        .subquery()
    )
    found: Sequence[Any] = database().fetch_all(
        select(rows.c.slot, rows.c.name, func.sum(rows.c.amount)).group_by(
            rows.c.slot, rows.c.name
        )
    )
    return {
        Bucket(start + slot * step, name): int(amount)
        for slot, name, amount in found
    }


def fetch_gauge(start: int, name: str) -> dict[int, int]:
    """Return the amounts of a gauge by their hours, in their order."""
    found: Sequence[Any] = database().fetch_all(
        select(HOURLY.c.hour, HOURLY.c.amount)
        .where(HOURLY.c.hour >= start, HOURLY.c.name == name)
        .order_by(HOURLY.c.hour)
    )
    return {row[0]: row[1] for row in found}


def purge(before: datetime) -> None:
    """Delete the buckets of hours before the hour of a moment."""
    delete_in_batches(HOURLY, HOURLY.c.hour < hour_of(before))


def _rows(amounts: Mapping[Bucket, int]) -> list[dict[str, int | str]]:
    """Return amounts as rows of the table, in the order of their buckets."""
    return [
        {"hour": bucket.hour, "name": bucket.name, "amount": amounts[bucket]}
        for bucket in sorted(amounts)
    ]

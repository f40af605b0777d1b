#!/usr/bin/env python3
"""How much of what happened in each hour: sums that figures are made of.

Its law: a figure reads some hundred rows, however much happened; so what
it needs is summed when it is written, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from vestibule.db.engine import database
from vestibule.db.statements import delete_in_batches, insert_into
from vestibule.db.tables import HOURLY

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


class Bucket(NamedTuple):
    """An hour, counted from 1970 in UTC, and what is summed in it."""

    hour: int
    name: str


def hour_of(moment: datetime) -> int:
    """Return the hour in which a moment is."""
    return (moment - EPOCH) // HOUR


def start_of_hour(hour: int) -> datetime:
    """Return the first moment of an hour."""
    return EPOCH + hour * HOUR


def add_counts(connection: Connection, amounts: Mapping[Bucket, int]) -> None:
    """Add amounts to the sums, within the transaction of something else.

    In one order, so that two who add never wait for each other.
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
    """Note states: each takes the place of what its slot had."""
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
    """Return all sums and states from an hour on."""
    found: Sequence[Any] = database().fetch_all(
        select(HOURLY.c.hour, HOURLY.c.name, HOURLY.c.amount).where(
            HOURLY.c.hour >= hour
        )
    )
    return {Bucket(hour, name): amount for hour, name, amount in found}


def purge(before: datetime) -> None:
    """Drop what is older than the hour of a moment."""
    delete_in_batches(HOURLY, HOURLY.c.hour < hour_of(before))


def _rows(amounts: Mapping[Bucket, int]) -> list[dict[str, int | str]]:
    """Return amounts as rows of the table, in the order of their slots."""
    return [
        {"hour": slot.hour, "name": slot.name, "amount": amounts[slot]}
        for slot in sorted(amounts)
    ]

#!/usr/bin/env python3
"""The columns with encrypted values, and their encryption by a new key.

A row is replaced only if its value is the one that was read, so a change at
the same moment wins. What was encrypted again is not selected any more, so
an interrupted rotation continues where it stopped.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Table, select, update

from vestibule.core.encryption import Place, key_id_of
from vestibule.db.engine import database
from vestibule.db.tables import FACTORS

#: Rows of one transaction; other writers wait for one at most.
MAX_BATCH_ROWS = 200

#: Each encrypted column, and the column with the id of its row.
ENCRYPTED_COLUMNS: tuple[tuple[Column[str], Column[str]], ...] = (
    (FACTORS.c.secret, FACTORS.c.id),
)


class Batch(NamedTuple):
    """The result of one batch of a rotation."""

    changed: int
    #: The places of values that could not be decrypted.
    failed: list[Place]


def factor_secret_place(factor_id: str) -> Place:
    """Return the place of a factor's secret."""
    return place_of(FACTORS.c.secret, factor_id)


def place_of(column: Column[str], row_id: str) -> Place:
    """Return the place of a value in an encrypted column."""
    table = column.table
    assert isinstance(table, Table)
    return Place(table.name, column.name, row_id)


def count_by_key() -> Counter[str]:
    """Return the number of stored values by the id of their key."""
    counts: Counter[str] = Counter()
    for column, row_id in ENCRYPTED_COLUMNS:
        last = ""
        while True:
            found: Sequence[Any] = database().fetch_all(
                select(row_id, column)
                .where(column.is_not(None), row_id > last)
                .order_by(row_id)
                .limit(MAX_BATCH_ROWS)
            )
            counts.update(key_id_of(row[1]) for row in found)
            if len(found) < MAX_BATCH_ROWS:
                break
            last = found[-1][0]
    return counts


def rotate(
    current_prefix: str, encrypt_again: Callable[[str, Place], str | None]
) -> Iterator[Batch]:
    """Replace the values that do not begin with `current_prefix`.

    `encrypt_again` gets a value and its place, and returns the new value, or
    `None` if it cannot decrypt the old one. Yield each batch after its
    commit.
    """
    for column, row_id in ENCRYPTED_COLUMNS:
        last = ""
        while True:
            found: Sequence[Any] = database().fetch_all(
                select(row_id, column)
                .where(
                    column.is_not(None),
                    column.not_like(f"{current_prefix}%"),
                    row_id > last,
                )
                .order_by(row_id)
                .limit(MAX_BATCH_ROWS)
            )
            if not found:
                break
            last = found[-1][0]
            changed, failed = 0, []
            with database().transaction() as connection:
                for row in found:
                    id, stored = row[0], row[1]
                    place = place_of(column, id)
                    fresh = encrypt_again(stored, place)
                    if fresh is None:
                        failed.append(place)
                        continue
                    changed += connection.execute(
                        update(column.table)
                        .where(row_id == id, column == stored)
                        .values({column.name: fresh})
                    ).rowcount
            yield Batch(changed, failed)

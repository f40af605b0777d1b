#!/usr/bin/env python3
"""Secrets in the database: encrypted columns, and keys of identity tokens.

When encrypted columns get a new key, a row is replaced only if its value is
the one that was read, so a change at the same moment wins. What was
encrypted again is not selected any more, so an interrupted rotation
continues where it stopped.

The table signing_keys has the private keys that sign identity tokens. The
first one is created once, even if several workers and machines need it at
the same moment.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Table,
    delete,
    insert,
    select,
    text,
    update,
)

from vestibule.core.crypto import Place, key_id_of
from vestibule.db.engine import database
from vestibule.db.factor_tables import FACTORS
from vestibule.db.tables import SIGNING_KEYS

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


def count_values_by_key() -> Counter[str]:
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


@dataclass(frozen=True)
class StoredSigningKey:
    """A key: its id, when it was created, and the private key in PEM."""

    id: str
    created_at: datetime
    private_key: str = field(repr=False)


def stored_signing_keys() -> list[StoredSigningKey]:
    """Return the stored keys, oldest first."""
    return _to_keys(database().fetch_all(_ALL))


def ensure_signing_key(
    create: Callable[[], StoredSigningKey],
) -> list[StoredSigningKey]:
    """Return the stored keys; if there is none, store that of `create`."""
    with database().transaction() as connection:
        _lock_table(connection)
        if not (stored := _to_keys(connection.execute(_ALL).all())):
            stored = [_insert(connection, create())]
    return stored


def replace_signing_keys(
    new: StoredSigningKey, old_ids: Iterable[str]
) -> None:
    """Store a new key and delete those with the ids in `old_ids`."""
    with database().transaction() as connection:
        _lock_table(connection)
        _insert(connection, new)
        connection.execute(
            delete(SIGNING_KEYS).where(SIGNING_KEYS.c.id.in_(list(old_ids)))
        )


_ALL = select(
    SIGNING_KEYS.c.id, SIGNING_KEYS.c.created_at, SIGNING_KEYS.c.private_key
).order_by(SIGNING_KEYS.c.created_at, SIGNING_KEYS.c.id)


def _to_keys(rows: Sequence[Sequence[object]]) -> list[StoredSigningKey]:
    """Return `rows` as keys."""
    return [StoredSigningKey(*row) for row in rows]  # type: ignore[arg-type]


def _insert(connection: Connection, key: StoredSigningKey) -> StoredSigningKey:
    """Store `key` and return it."""
    connection.execute(
        insert(SIGNING_KEYS).values(
            id=key.id, created_at=key.created_at, private_key=key.private_key
        )
    )
    return key


def _lock_table(connection: Connection) -> None:
    """Make other writers wait; on SQLite they do so anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE signing_keys IN EXCLUSIVE MODE"))

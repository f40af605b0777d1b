#!/usr/bin/env python3
"""The signing_keys table: the private keys that sign identity tokens.

The first key is created once, even if several workers and machines need it
at the same moment.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, text

from vestibule.db.engine import database
from vestibule.db.tables import SIGNING_KEYS


@dataclass(frozen=True)
class StoredKey:
    """A key: its id, when it was created, and the private key in PEM."""

    id: str
    created_at: datetime
    private_key: str = field(repr=False)


def all_keys() -> list[StoredKey]:
    """Return the stored keys, oldest first."""
    return _to_keys(database().fetch_all(_ALL))


def ensure_one(create: Callable[[], StoredKey]) -> list[StoredKey]:
    """Return the stored keys; if there is none, store that of `create`."""
    with database().transaction() as connection:
        _lock_table(connection)
        if not (stored := _to_keys(connection.execute(_ALL).all())):
            stored = [_insert(connection, create())]
    return stored


def replace(new: StoredKey, old_ids: Iterable[str]) -> None:
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


def _to_keys(rows: Sequence[Sequence[object]]) -> list[StoredKey]:
    """Return `rows` as keys."""
    return [StoredKey(*row) for row in rows]  # type: ignore[arg-type]


def _insert(connection: Connection, key: StoredKey) -> StoredKey:
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

#!/usr/bin/env python3
"""The keys that sign identities, as they are stored.

Its law: a key that is wanted because there is none is made once, whatever
number of workers and machines want it at the same moment.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, text

from vestibule.db.engine import database
from vestibule.db.tables import SIGNING_KEYS


@dataclass(frozen=True)
class StoredKey:
    """A key by its name, since when there is one, and its PEM text."""

    id: str
    created_at: datetime
    private_key: str = field(repr=False)


def all_keys() -> list[StoredKey]:
    """Return the stored keys, oldest first."""
    return _to_keys(database().fetch_all(_ALL))


def ensure_one(made: Callable[[], StoredKey]) -> list[StoredKey]:
    """Return the stored keys; store what `made` returns if there is none."""
    with database().transaction() as connection:
        _lock_table(connection)
        if not (stored := _to_keys(connection.execute(_ALL).all())):
            stored = [_insert(connection, made())]
    return stored


def replace(new: StoredKey, gone: Iterable[str]) -> None:
    """Store a new key and drop those with the ids in `gone`."""
    with database().transaction() as connection:
        _lock_table(connection)
        _insert(connection, new)
        connection.execute(
            delete(SIGNING_KEYS).where(SIGNING_KEYS.c.id.in_(list(gone)))
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
    """Let others wait: SQLite does so for every writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE signing_keys IN EXCLUSIVE MODE"))

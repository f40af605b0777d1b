#!/usr/bin/env python3
"""Upserts for both databases, and deletes that run in batches.

A bulk delete is split into transactions of at most `MAX_BATCH_ROWS`, so
that another writer waits for one batch at most.
"""

import time

from sqlalchemy import ColumnElement, Table, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from vestibule.db.engine import database

#: Rows in one transaction: deleting a million sessions must not keep a
#: login waiting.
MAX_BATCH_ROWS = 500

#: Seconds between two batches of a purge, which would otherwise occupy the
#: disk and the write lock and keep all other writers waiting.
BATCH_PAUSE_SECONDS = 0.01


def insert_into(table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert statement that supports `ON CONFLICT`."""
    if database().is_sqlite:
        return sqlite.insert(table)
    return postgresql.insert(table)


def delete_in_batches(table: Table, condition: ColumnElement[bool]) -> int:
    """Delete the rows that meet the condition; return how many.

    The loop ends by the number of rows that were found, not deleted:
    another process may delete some of a batch at the same time.
    """
    key = tuple(table.primary_key)
    next_batch = select(*key).where(condition).limit(MAX_BATCH_ROWS)
    deleted = 0
    # Most often there is nothing to delete, and a read finds that out.
    while batch := [tuple(row) for row in database().fetch_all(next_batch)]:
        in_batch = tuple_(*key).in_(batch)
        with database().transaction() as connection:
            # A row that was updated since then may no longer meet it.
            deleted += connection.execute(
                delete(table).where(in_batch, condition)
            ).rowcount
        if len(batch) < MAX_BATCH_ROWS:
            break
        time.sleep(BATCH_PAUSE_SECONDS)
    return deleted

#!/usr/bin/env python3
"""Upserts for both databases, deletes in batches, and a check of writes.

A bulk delete is split into transactions of at most `MAX_BATCH_ROWS`, so
that another writer waits for one batch at most.
"""

import time
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from vestibule.core import clock
from vestibule.core.errors import VestibuleError
from vestibule.db.engine import Database, database
from vestibule.db.tables import ENDED_SESSIONS

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

#: Rows in one transaction: deleting a million sessions must not keep a
#: login waiting.
MAX_BATCH_ROWS = 500

#: Seconds between two batches of a purge, which would otherwise occupy the
#: disk and the write lock and keep all other writers waiting.
BATCH_PAUSE_SECONDS = 0.01

#: Seconds for which a commit shows that the database takes writes.
WRITE_CHECK_SECONDS = 10.0
#: Seconds for which a check that failed is not repeated.
FAILED_CHECK_SECONDS = 1.0
#: The key of the row that a check writes to ended_sessions and deletes
#: again; the purge of this table deletes what a crash leaves.
_CHECK_KEY = "write check"
#: The text of the row. It fills four pages of an SQLite file, so the row
#: takes more than a login may need: without room for it, the disk is full.
_CHECK_TEXT = "." * 16_384


def insert_into(table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an insert statement that supports `ON CONFLICT`.

    SQLAlchemy's dialects are imported here: that of PostgreSQL takes a
    seventh of the time of a start, and SQLite does without it.
    """
    if database().is_sqlite:
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def delete_in_batches(table: Table, condition: ColumnElement[bool]) -> int:
    """Delete the rows that meet the condition; return how many.

    The last batch is the first one in which fewer rows than the maximum
    were found. The number of deleted rows would not show that, because
    another process may delete some of a batch at the same time.
    """
    key = tuple(table.primary_key)
    next_batch = select(*key).where(condition).limit(MAX_BATCH_ROWS)
    deleted = 0
    # Most often there is nothing to delete, and a read finds that out.
    while batch := [tuple(row) for row in database().fetch_all(next_batch)]:
        in_batch = tuple_(*key).in_(batch)
        with database().transaction() as connection:
            # A row that was updated since may not meet the condition now.
            deleted += connection.execute(
                delete(table).where(in_batch, condition)
            ).rowcount
        if len(batch) < MAX_BATCH_ROWS:
            break
        time.sleep(BATCH_PAUSE_SECONDS)
    return deleted


def check_writes(opened: Database) -> None:
    """Raise an error unless the database takes writes.

    Anonymous clients can cause this check, so it writes only if nothing
    was written for `WRITE_CHECK_SECONDS`.
    """
    now = clock.monotonic()
    if now - opened.written_at < WRITE_CHECK_SECONDS:
        return
    if now - opened.refused_at < FAILED_CHECK_SECONDS and opened.refusal:
        raise opened.refusal
    try:
        write_check_row(opened)
    except VestibuleError as error:
        opened.refused_at, opened.refusal = now, error
        raise


def write_check_row(opened: Database) -> None:
    """Write a row without meaning, commit it, and delete it.

    The next check then needs as much room. SQLite writes no page whose bytes
    stay the same, as they would if the row were still there, and none of a
    row that is deleted before the commit.
    """
    row = {
        "session_digest": _CHECK_KEY,
        "reason": _CHECK_TEXT,
        "ended_at": clock.now(),
    }
    with opened.transaction() as connection:
        connection.execute(
            insert_into(ENDED_SESSIONS)
            .values(row)
            .on_conflict_do_update(index_elements=["session_digest"], set_=row)
        )
    with opened.transaction() as connection:
        connection.execute(
            delete(ENDED_SESSIONS).where(
                ENDED_SESSIONS.c.session_digest == _CHECK_KEY
            )
        )

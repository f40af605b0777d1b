#!/usr/bin/env python3
"""How much goes at once when much is deleted.

Its law: whoever writes meanwhile waits for one batch at most, and each
batch is a transaction.
"""

import time

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from vestibule.db.engine import database

#: Rows in one transaction, so that ending a million sessions never keeps
#: a login waiting.
DELETE_BATCH_ROWS = 500

#: Seconds between two batches of what nobody waits for: a purge that took
#: the disk and the lock for itself would keep everybody else waiting.
PAUSE_SECONDS = 0.01


def delete_old(table: Table, old: ColumnElement[bool]) -> int:
    """Delete the rows of a table that nobody needs; count them.

    How many were found, not how many were deleted, tells if there are
    more: others may delete some of a batch at the same time.
    """
    key = tuple(table.primary_key)
    some = select(*key).where(old).limit(DELETE_BATCH_ROWS)
    gone = 0
    # Nothing to do is the rule, and is found out without a write.
    while batch := [tuple(row) for row in database().rows(some)]:
        found = tuple_(*key).in_(batch)
        with database().transaction() as connection:
            # One that was written meanwhile may be needed again.
            gone += connection.execute(
                delete(table).where(found, old)
            ).rowcount
        if len(batch) < DELETE_BATCH_ROWS:
            break
        time.sleep(PAUSE_SECONDS)
    return gone

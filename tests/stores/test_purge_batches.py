#!/usr/bin/env python3
"""Purges delete expired rows a batch at a time."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Table, func, insert, select

from tests.clocks import SetClock
from tests.statements import Statement, recorded
from vestibule.db import hourly_counts, login_failures, session_queries
from vestibule.db.engine import database
from vestibule.db.login_failures import Window
from vestibule.db.statements import MAX_BATCH_ROWS
from vestibule.db.tables import ENDED_SESSIONS, FAILURES, HOURLY

pytestmark = pytest.mark.usefixtures("any_database")

MANY = 2 * MAX_BATCH_ROWS + 1
NOW = SetClock().moment
OLD = NOW - timedelta(days=1)
_HOUR = hourly_counts.hour_of(OLD)

#: How each table is purged of what was before now, and what a row has.
PURGES: list[
    tuple[Table, Callable[[], object], Callable[[int], dict[str, object]]]
] = [
    (
        ENDED_SESSIONS,
        lambda: session_queries.purge_end_reasons(NOW),
        lambda i: {
            "session_digest": str(i),
            "reason": "revoked",
            "ended_at": OLD,
        },
    ),
    (
        FAILURES,
        lambda: login_failures.purge(Window(NOW, NOW)),
        lambda i: {"key": str(i), "count": 1, "last_at": OLD},
    ),
    (
        HOURLY,
        lambda: hourly_counts.purge(NOW),
        lambda i: {"hour": _HOUR, "name": str(i), "amount": 1},
    ),
]


def _deleted(statements: list[Statement]) -> list[int]:
    """Return how many rows each transaction deleted."""
    deleted: list[int] = []
    for each in statements:
        if each.text.startswith("BEGIN"):
            deleted.append(0)
        elif each.text.startswith("DELETE"):
            deleted[-1] += each.rows
    return deleted


@pytest.mark.parametrize(
    ("table", "purge", "row"), PURGES, ids=[each[0].name for each in PURGES]
)
def test_purge_uses_one_transaction_per_batch(
    table: Table,
    purge: Callable[[], object],
    row: Callable[[int], dict[str, object]],
) -> None:
    """No transaction deletes more than a batch, and nothing old is left."""
    with database().transaction() as connection:
        connection.execute(insert(table), [row(i) for i in range(MANY)])
    with recorded() as statements:
        purge()
        purge()
    assert _deleted(statements) == [MAX_BATCH_ROWS, MAX_BATCH_ROWS, 1]
    left = database().fetch_all(select(func.count()).select_from(table))
    assert left[0][0] == 0

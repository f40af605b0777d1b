#!/usr/bin/env python3
"""What nobody needs any more is deleted a batch at a time."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Table, func, insert, select

from models import attempts, ending, hourly
from models.attempts import Era
from models.batches import BATCH
from models.engine import database
from models.tables import ENDED_SESSIONS, FAILURES, HOURLY
from tests.clocks import SetClock
from tests.statements import Statement, recorded

pytestmark = pytest.mark.usefixtures("any_database")

MANY = 2 * BATCH + 1
NOW = SetClock().moment
OLD = NOW - timedelta(days=1)
_HOUR = hourly.hour_of(OLD)

#: How each table is purged of what was before now, and what a row has.
PURGES: list[
    tuple[Table, Callable[[], object], Callable[[int], dict[str, object]]]
] = [
    (
        ENDED_SESSIONS,
        lambda: ending.forget_reasons(NOW),
        lambda i: {
            "session_digest": str(i), "reason": "revoked", "ended_at": OLD,
        },
    ),
    (
        FAILURES,
        lambda: attempts.purge(Era(NOW, NOW)),
        lambda i: {"key": str(i), "count": 1, "last_at": OLD},
    ),
    (
        HOURLY,
        lambda: hourly.purge(NOW),
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
def test_a_purge_is_many_transactions(
    table: Table,
    purge: Callable[[], object],
    row: Callable[[int], dict[str, object]],
) -> None:
    """None of them takes more than a batch, and nothing old is left."""
    with database().transaction() as connection:
        connection.execute(insert(table), [row(i) for i in range(MANY)])
    with recorded() as statements:
        purge()
        purge()
    assert _deleted(statements) == [BATCH, BATCH, 1]
    left = database().rows(select(func.count()).select_from(table))
    assert left[0][0] == 0

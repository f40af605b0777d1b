#!/usr/bin/env python3
"""Attempts on second factors: count the failures, and make them wait.

A failure is counted before the code is checked, by one UPDATE that also
decides if an attempt is allowed now. So of many requests at once, in any
number of processes, none checks a code that is not counted. A success sets
the count back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, or_, update

from vestibule.db.engine import database
from vestibule.db.factors import MAX_FAILURES_IN_A_ROW
from vestibule.db.tables import FACTORS

#: How far the clocks of two machines may differ.
SKEW = timedelta(seconds=10)


@dataclass(frozen=True)
class Waits:
    """The waits after failures: for each number, since when they are over.

    `over` has the latest time of the last failure at which the wait after
    so many failures is over; a number that it lacks needs `longest`, unless
    it is at most `free`.
    """

    now: datetime
    free: int
    over: Mapping[int, datetime]
    longest: datetime


def begin_attempt(factor_id: str, waits: Waits) -> int | None:
    """Count a failure in advance; return the number of them in a row.

    Return `None`, and count nothing, if the factor is switched off, must
    wait, or is gone. This is one UPDATE, so concurrent attempts queue up
    at the row and each sees the count of the one before.
    """
    failures, failed_at = FACTORS.c.failures, FACTORS.c.failed_at
    after: list[ColumnElement[bool]] = [
        and_(failures == number, failed_at <= moment)
        for number, moment in waits.over.items()
    ]
    allowed = or_(
        failures <= waits.free,
        failed_at.is_(None),
        # A clock was set back.
        failed_at > waits.now + SKEW,
        failed_at <= waits.longest,
        *after,
    )
    statement = (
        update(FACTORS)
        .where(
            FACTORS.c.id == factor_id,
            failures < MAX_FAILURES_IN_A_ROW,
            allowed,
        )
        .values(failures=failures + 1, failed_at=waits.now)
        .returning(failures)
    )
    with database().transaction() as connection:
        counted = connection.scalar(statement)
    return None if counted is None else int(counted)


def take_back_attempt(factor_id: str) -> None:
    """Take a count back: the code was one of another factor of the user."""
    failures = FACTORS.c.failures
    with database().transaction() as connection:
        connection.execute(
            update(FACTORS)
            .where(FACTORS.c.id == factor_id)
            .values(failures=case((failures > 0, failures - 1), else_=0))
        )

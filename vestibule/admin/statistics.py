#!/usr/bin/env python3
"""Statistics of a recent period, in slots of equal length.

They come from the hourly counts and never from the events, so they cost
the same however many events there are."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from vestibule.audit import writer
from vestibule.audit.log import EventType
from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.db import hourly_counts
from vestibule.db.hourly_counts import Bucket, hour_of, start_of_hour

Value = float | None
#: Computes a value from the amounts of slots and the first hour of one.
Measure = Callable[[Mapping[Bucket, int], int], Value]


class Period(NamedTuple):
    """A period that ends now: the number of slots, and hours per slot."""

    slots: int
    hours: int


PERIODS = {
    "day": Period(24, 1),
    "week": Period(28, 6),
    "month": Period(30, 24),
}


class Statistics(NamedTuple):
    """The starts of the slots, and the values of each measure in them."""

    period: str
    hours: int
    begins: list[datetime]
    values: dict[str, list[Value]]
    #: Whether anything was counted in each slot. The sessions are counted
    #: every hour, so nothing was if the service did not run.
    recorded: list[bool]


def summed(name: str) -> Measure:
    """Return the measure that is the sum of the counts with this name."""
    return lambda amounts, hour: amounts.get(Bucket(hour, name), 0)


def latest_sessions(amounts: Mapping[Bucket, int], hour: int) -> Value:
    """Return the last count of live sessions; `None` if there is none."""
    return amounts.get(Bucket(hour, writer.SESSIONS))


def hash_time(amounts: Mapping[Bucket, int], hour: int) -> Value:
    """Return the milliseconds per hash; `None` if there was none."""
    number = amounts.get(Bucket(hour, writer.HASHES), 0)
    taken = amounts.get(Bucket(hour, writer.HASHING), 0)
    return round(taken / number / 1000, 1) if number else None


#: Every measure, in the order in which they are shown.
MEASURES: dict[str, Measure] = {
    "logins": summed(EventType.LOGIN),
    "failures": summed(EventType.LOGIN_FAILED),
    "throttled": summed(EventType.THROTTLED),
    "disabled": summed(EventType.LOGIN_DISABLED),
    "sessions": latest_sessions,
    "new_users": summed(EventType.USER_ADDED),
    "hash_ms": hash_time,
}


def statistics(name: str) -> Statistics:
    """Return the statistics of a period; raise `InvalidValue`.

    Slots start at full hours, days and quarters of days, in UTC.
    """
    period = PERIODS.get(name)
    if period is None:
        raise InvalidValue(
            "period", f"must be one of {', '.join(PERIODS)}", code="invalid"
        )
    now, step = hour_of(clock.now()), period.hours
    end = (now // step + 1) * step
    start = end - period.slots * step
    amounts = hourly_counts.fetch_sums(start, step)
    recorded = {bucket.hour for bucket in amounts}
    # Of the counts of live sessions only the last one of a slot matters.
    for hour, number in hourly_counts.fetch_gauge(
        start, writer.SESSIONS
    ).items():
        begin = hour - (hour - start) % step
        amounts[Bucket(begin, writer.SESSIONS)] = number
    begins = range(start, end, step)
    return Statistics(
        name,
        step,
        [start_of_hour(begin) for begin in begins],
        {
            what: [measure(amounts, begin) for begin in begins]
            for what, measure in MEASURES.items()
        },
        [begin in recorded for begin in begins],
    )

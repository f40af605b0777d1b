#!/usr/bin/env python3
"""How much happened lately, in slots of equal length.

Its law: figures come from the hourly sums and never from the events, so
they cost the same however much happened.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from models import hourly
from models.hourly import Slot, beginning_of, hour_of
from vestibule import clock, journal
from vestibule.errors import InvalidValue
from vestibule.observe.security import Event

Value = float | None
#: What a figure makes of the sums and the hours of a slot.
Measure = Callable[[Mapping[Slot, int], range], Value]


class Period(NamedTuple):
    """A time that ends now: so many slots of so many hours."""

    slots: int
    hours: int


PERIODS = {
    "day": Period(24, 1),
    "week": Period(28, 6),
    "month": Period(30, 24),
}


class Figures(NamedTuple):
    """When the slots begin, and the values of each figure in them."""

    period: str
    hours: int
    begins: list[datetime]
    values: dict[str, list[Value]]


def summed(name: str) -> Measure:
    """Return the measure that adds up what was summed by a name."""

    def total(sums: Mapping[Slot, int], hours: range) -> Value:
        """Return the sum over the hours."""
        return sum(sums.get(Slot(hour, name), 0) for hour in hours)

    return total


def latest_sessions(sums: Mapping[Slot, int], hours: range) -> Value:
    """Return how many sessions were live last; `None` if nobody looked."""
    for hour in reversed(hours):
        if (found := sums.get(Slot(hour, journal.SESSIONS))) is not None:
            return found
    return None


def hash_time(sums: Mapping[Slot, int], hours: range) -> Value:
    """Return the milliseconds of one hash; `None` if there was none."""
    number = sum(sums.get(Slot(hour, journal.HASHES), 0) for hour in hours)
    taken = sum(sums.get(Slot(hour, journal.HASHING), 0) for hour in hours)
    return round(taken / number / 1000, 1) if number else None


#: Every figure, in the order in which they are shown.
MEASURES: dict[str, Measure] = {
    "logins": summed(Event.LOGIN),
    "failures": summed(Event.LOGIN_FAILED),
    "throttled": summed(Event.THROTTLED),
    "sessions": latest_sessions,
    "new_users": summed(Event.USER_ADDED),
    "hash_ms": hash_time,
}


def figures(name: str) -> Figures:
    """Return the figures of a period; raise `InvalidValue` for no period.

    Slots begin at full hours, days and quarters of days, in UTC.
    """
    period = PERIODS.get(name)
    if period is None:
        raise InvalidValue("period", f"must be one of {', '.join(PERIODS)}")
    now, step = hour_of(clock.now()), period.hours
    end = (now // step + 1) * step
    start = end - period.slots * step
    sums = hourly.since(start)
    slots = [range(first, first + step) for first in range(start, end, step)]
    return Figures(
        name,
        step,
        [beginning_of(slot.start) for slot in slots],
        {
            what: [measure(sums, slot) for slot in slots]
            for what, measure in MEASURES.items()
        },
    )

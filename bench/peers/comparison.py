#!/usr/bin/env python3
"""What the rounds say of two servers: ratios, goals, the fastest peer."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from bench.rows import Goal, Row, medians, ratios


class Taken(Protocol):
    """What was measured of one server, a number for each round."""

    name: str
    #: How many a second.
    rates: list[float]
    #: Milliseconds of its processes' time for each.
    costs: list[float]


T = TypeVar("T", bound=Taken)


def fastest(taken: Iterable[T]) -> T | None:
    """Return what has the greatest median of rates, `None` of nothing."""
    return max(
        taken, key=lambda one: statistics.median(one.rates), default=None
    )


def compared(
    what: str,
    ours: Taken,
    other: Taken,
    bound: float | None = None,
    unit: str = "answers/s",
) -> Row:
    """Return the line that says how many times `other` ours is."""
    return Row(
        what,
        ratios(ours.rates, other.rates),
        None if bound is None else Goal(bound),
        seen=f"{medians(unit, ours.rates, other.rates)};"
        f" {medians('ms each', ours.costs, other.costs)}",
    )


def markdown(headings: Sequence[str], rows: Iterable[Row]) -> str:
    """Return the lines as a table of Markdown."""
    lines = [headings, ["---"] * len(headings)]
    lines += [row.cells() for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

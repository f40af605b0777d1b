#!/usr/bin/env python3
"""What the rounds say of two servers: ratios, goals, the fastest peer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.rows import Goal, Row, medians, ratios


class Taken(Protocol):
    """What was measured of one server, a number for each round."""

    name: str
    #: How many a second.
    rates: list[float]
    #: Milliseconds of its processes' time for each.
    costs: list[float]


@dataclass
class Best:
    """Of several servers the one that was fastest, round by round."""

    name: str
    rates: list[float]
    costs: list[float]


def fastest(taken: Sequence[Taken]) -> Best | None:
    """Return who was fastest in each round, `None` of nothing.

    Two that are alike take turns at it; beside the one with the better
    median ours would look faster than beside both.
    """
    if not taken:
        return None
    winners = [
        max(taken, key=lambda one: one.rates[turn])
        for turn in range(len(taken[0].rates))
    ]
    return Best(
        " or ".join(dict.fromkeys(one.name for one in winners)),
        [one.rates[turn] for turn, one in enumerate(winners)],
        [one.costs[turn] for turn, one in enumerate(winners)],
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

#!/usr/bin/env python3
"""The rows of the result: a value, its spread, and its goal."""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """The bound for a value, and how both are shown."""

    bound: float
    at_most: bool = False
    unit: str = ""

    def reached(self, value: float) -> bool:
        """Return True if `value` is within the bound."""
        if self.at_most:
            return value <= self.bound
        return value >= self.bound

    def __str__(self) -> str:
        """Show the bound and the direction."""
        sign = "at most" if self.at_most else "at least"
        return f"{sign} {self.bound:g}{self.unit}"


@dataclass(frozen=True)
class Row:
    """One line of the table: the values of all rounds, and their goal."""

    what: str
    values: Sequence[float]
    goal: Goal | None = None
    unit: str = ""
    #: The absolute numbers behind the values, for orientation only.
    seen: str = ""

    @property
    def measured(self) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.values)

    @property
    def reached(self) -> str:
        """Return "yes" or "no" for the goal; "" without one."""
        if self.goal is None:
            return ""
        return "yes" if self.goal.reached(self.measured) else "no"

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line's cells."""
        least, most = min(self.values), max(self.values)
        return (
            self.what,
            "" if self.goal is None else str(self.goal),
            f"{_plain(self.measured)}{self.unit}",
            f"{_plain(least)} to {_plain(most)}" if most > least else "",
            self.reached,
            self.seen,
        )


@dataclass(frozen=True)
class Rounds:
    """How often and how long each thing is measured."""

    count: int
    seconds: int

    def interleaved(self, *measures: Callable[[], T]) -> list[list[T]]:
        """Take the measures in turn, round by round; a list for each.

        What happens on the machine meanwhile then hits all of them.
        """
        taken = [
            [measure() for measure in measures] for _ in range(self.count)
        ]
        return [list(values) for values in zip(*taken, strict=True)]


def ratios(
    values: Sequence[float], references: Sequence[float]
) -> list[float]:
    """Return each round's value as a share of the same round's reference."""
    return [
        value / reference
        for value, reference in zip(values, references, strict=True)
    ]


def medians(unit: str, *taken: Sequence[float]) -> str:
    """Show the medians of some measures, the first against the others."""
    shown = " : ".join(_plain(statistics.median(values)) for values in taken)
    return f"{shown} {unit}"


def cpu_seconds(pid: int) -> float:
    """Return the processor time that process `pid` has used so far."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / float(os.sysconf("SC_CLK_TCK"))


def _plain(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

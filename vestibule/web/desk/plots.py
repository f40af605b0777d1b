#!/usr/bin/env python3
"""Figures as bars: where each one stands in a picture, pure arithmetic."""

from collections.abc import Sequence
from typing import NamedTuple

#: What the picture is drawn in; it is as wide as there is room.
WIDTH, HEIGHT = 600, 120
#: Of the room of a slot, what its bar takes.
_SHARE = 0.7
#: The least height of what is more than nothing.
_LEAST = 2.0

Value = float | None


class Bar(NamedTuple):
    """A bar of the picture: left, top, width and height."""

    x: float
    y: float
    width: float
    height: float


class Plot(NamedTuple):
    """The bars of some values, and what is said of them."""

    bars: list[Bar]
    top: float
    #: The number of the slot with the most; `None` without any.
    highest: int | None


def plotted(values: Sequence[Value]) -> Plot:
    """Return where the bars of some values stand."""
    known = [value for value in values if value is not None]
    most = max(known, default=0)
    top = _rounded_up(most)
    room = WIDTH / max(1, len(values))
    bars = []
    for number, value in enumerate(values):
        if value:
            height = max(_LEAST, value / top * HEIGHT)
            bars.append(Bar(
                round(room * (number + (1 - _SHARE) / 2), 1),
                round(HEIGHT - height, 1),
                round(room * _SHARE, 1),
                round(height, 1),
            ))
    return Plot(bars, top, values.index(most) if most else None)


def _rounded_up(most: float) -> float:
    """Return a number that one likes to read at the top of an axis."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if most <= factor * step:
                return factor * step
        step *= 10

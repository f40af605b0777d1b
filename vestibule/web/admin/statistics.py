#!/usr/bin/env python3
"""Figures as bars: where each one stands in a picture, pure arithmetic.

The desk's figures: small plots, each with a table behind it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin.statistics import PERIODS, Value, statistics
from vestibule.core import settings
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.web.i18n import N_, gettext
from vestibule.web.routes import ADMIN_STATISTICS, pages
from vestibule.web.templating import page

#: What the picture is drawn in; it is as wide as there is room.
WIDTH, HEIGHT = 600, 120
#: Of the room of a slot, what its bar takes.
_SHARE = 0.7
#: The least height of what is more than nothing.
_LEAST = 2.0

PlotValue = float | None


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


def plot(values: Sequence[PlotValue]) -> Plot:
    """Return where the bars of some values stand."""
    known = [value for value in values if value is not None]
    most = max(known, default=0)
    top = _rounded_up(most)
    room = WIDTH / max(1, len(values))
    bars = []
    for number, value in enumerate(values):
        if value:
            height = max(_LEAST, value / top * HEIGHT)
            bars.append(
                Bar(
                    round(room * (number + (1 - _SHARE) / 2), 1),
                    round(HEIGHT - height, 1),
                    round(room * _SHARE, 1),
                    round(height, 1),
                )
            )
    return Plot(bars, top, values.index(most) if most else None)


def _rounded_up(most: float) -> float:
    """Return a number that one likes to read at the top of an axis."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if most <= factor * step:
                return factor * step
        step *= 10


_HEADINGS = {
    "logins": N_("Logins"),
    "failures": N_("Failed attempts"),
    "throttled": N_("Attempts that had to wait"),
    "sessions": N_("Live sessions"),
    "new_users": N_("New users"),
    "hash_ms": N_("Time of one password check, in milliseconds"),
}
_PERIODS = {
    "day": N_("Last day"),
    "week": N_("Last week"),
    "month": N_("Last month"),
}
#: What is no sum: adding it up would say nothing.
_STATES = frozenset({"sessions", "hash_ms"})


class Figure(NamedTuple):
    """One figure as the page shows it."""

    name: str
    heading: str
    values: list[Value]
    plot: Plot
    #: All of it together; `None` for a state.
    total: Value


@pages.get(ADMIN_STATISTICS)
def show_figures_here() -> Response:
    """Show the figures of a day, a week or a month."""
    authorize(Action.SEE_FIGURES)
    asked = current_request().args.get("period", "day")
    found = statistics(asked if asked in PERIODS else "day")
    return page(
        "admin_statistics.html",
        200 if asked in PERIODS else 400,
        period=found.period,
        periods=[(name, gettext(text)) for name, text in _PERIODS.items()],
        begins=found.begins,
        hours=found.hours,
        shown=[
            Figure(
                name,
                gettext(_HEADINGS[name]),
                values,
                plot(values),
                None if name in _STATES else sum(filter(None, values)),
            )
            for name, values in found.values.items()
        ],
        width=WIDTH,
        height=HEIGHT,
        kept=settings.EVENTS_KEPT.read(),
    )

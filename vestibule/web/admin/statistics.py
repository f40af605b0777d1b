#!/usr/bin/env python3
"""The statistics page: a bar chart and a table for each statistic."""

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

#: The viewBox of a chart, in SVG units; CSS scales it to the page.
WIDTH, HEIGHT = 600, 120
#: The width of a bar, as a share of its slot.
_BAR_SHARE = 0.7
#: SVG units; the bar of a small value must stay visible.
_MIN_BAR_HEIGHT = 2.0


class Bar(NamedTuple):
    """A bar: its left and top edge, width and height, in SVG units."""

    x: float
    y: float
    width: float
    height: float


class BarChart(NamedTuple):
    """The bars of a series of values, and its scale."""

    bars: list[Bar]
    #: The value at the top of the axis.
    top: float
    #: The index of the highest value; `None` if there is none above 0.
    highest: int | None


def bar_chart(values: Sequence[Value]) -> BarChart:
    """Return the bar chart of a series of values; `None` has no bar."""
    known = [value for value in values if value is not None]
    highest = max(known, default=0)
    top = _axis_top(highest)
    slot = WIDTH / max(1, len(values))
    bars = []
    for number, value in enumerate(values):
        if value:
            height = max(_MIN_BAR_HEIGHT, value / top * HEIGHT)
            bars.append(
                Bar(
                    round(slot * (number + (1 - _BAR_SHARE) / 2), 1),
                    round(HEIGHT - height, 1),
                    round(slot * _BAR_SHARE, 1),
                    round(height, 1),
                )
            )
    return BarChart(bars, top, values.index(highest) if highest else None)


def _axis_top(highest: float) -> float:
    """Return the lowest 1, 2 or 5 times a power of ten above `highest`."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if highest <= factor * step:
                return factor * step
        step *= 10


_HEADINGS = {
    "logins": N_("Sign-ins"),
    "failures": N_("Failed attempts"),
    "throttled": N_("Throttled attempts"),
    "disabled": N_("Sign-ins to disabled accounts"),
    "sessions": N_("Live sessions"),
    "new_users": N_("New users"),
    "hash_ms": N_("Time per password check, in milliseconds"),
}
_PERIODS = {
    "day": N_("Last day"),
    "week": N_("Last week"),
    "month": N_("Last month"),
}
#: Statistics for which a total has no meaning.
_WITHOUT_TOTAL = frozenset({"sessions", "hash_ms"})


class Chart(NamedTuple):
    """One statistic as the page shows it."""

    name: str
    heading: str
    values: list[Value]
    bars: BarChart
    #: The sum of the values; `None` if it has no meaning.
    total: Value


@pages.get(ADMIN_STATISTICS)
def show_statistics() -> Response:
    """Show the statistics of a day, a week or a month."""
    authorize(Action.SEE_FIGURES)
    period = current_request().args.get("period", "day")
    found = statistics(period if period in PERIODS else "day")
    return page(
        "admin_statistics.html",
        200 if period in PERIODS else 400,
        period=found.period,
        periods=[(name, gettext(text)) for name, text in _PERIODS.items()],
        begins=found.begins,
        hours=found.hours,
        charts=[
            Chart(
                name,
                gettext(_HEADINGS[name]),
                values,
                bar_chart(values),
                None if name in _WITHOUT_TOTAL else sum(filter(None, values)),
            )
            for name, values in found.values.items()
        ],
        width=WIDTH,
        height=HEIGHT,
        days_kept=settings.EVENTS_KEPT.read(),
    )

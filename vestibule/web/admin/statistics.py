#!/usr/bin/env python3
"""The statistics page: a bar chart and a table for each statistic."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_datetime
from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin.statistics import (
    PERIODS,
    Statistics,
    Value,
    statistics,
)
from vestibule.audit.log import EventType
from vestibule.core import settings
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.web.i18n import N_, gettext, language, zone
from vestibule.web.routes import (
    ADMIN_EVENTS,
    ADMIN_STATISTICS,
    own_url,
    pages,
)
from vestibule.web.templating import page

#: The viewBox of a chart, in SVG units; CSS scales it to the page.
WIDTH, HEIGHT = 600, 120
#: The width of a bar, as a share of its slot.
_BAR_SHARE = 0.7
#: Steps of an axis, at most.
MAX_TICKS = 5
#: Labels of the time axis.
TIME_LABELS = 5
#: SVG units; the bar of a small value must stay visible.
_MIN_BAR_HEIGHT = 2.0


class Bar(NamedTuple):
    """A bar: its slot, and its left and top edge, width and height."""

    #: The number of its slot.
    slot: int
    #: In SVG units, like the rest.
    x: float
    y: float
    width: float
    height: float
    #: Whether the slot has no data, which is not 0.
    is_missing: bool


class BarChart(NamedTuple):
    """The bars of a series of values, and its scale."""

    #: A bar for each slot.
    bars: list[Bar]
    #: The values of the ticks, from 0 to the top of the axis.
    ticks: list[float]
    #: The index of the highest value; `None` if there is none above 0.
    highest: int | None

    @property
    def top(self) -> float:
        """Return the value at the top of the axis."""
        return self.ticks[-1]


def bar_chart(values: Sequence[Value]) -> BarChart:
    """Return the bar chart of a series of values.

    A value of 0 has a bar without height; `None` has a mark of its own.
    """
    known = [value for value in values if value is not None]
    highest = max(known, default=0)
    ticks = axis_ticks(highest)
    slot = WIDTH / max(1, len(values))
    bars = []
    for number, value in enumerate(values):
        height = 0.0
        if value:
            height = max(_MIN_BAR_HEIGHT, value / ticks[-1] * HEIGHT)
        bars.append(
            Bar(
                number,
                round(slot * (number + (1 - _BAR_SHARE) / 2), 1),
                round(HEIGHT - height, 1),
                round(slot * _BAR_SHARE, 1),
                round(height, 1),
                value is None,
            )
        )
    return BarChart(bars, ticks, values.index(highest) if highest else None)


def axis_ticks(highest: float) -> list[float]:
    """Return the ticks of an axis from 0 to just above `highest`.

    They are 3 to 6 round numbers, so that the scale ends near the value.
    """
    step = 1.0 if highest == 0 or highest >= 1 else 0.1
    while True:
        for factor in (1, 2, 5):
            number = math.ceil(highest / (factor * step))
            if number <= MAX_TICKS:
                return [
                    round(factor * step * each, 1)
                    for each in range(max(1, number) + 1)
                ]
        step *= 10


_HEADINGS = {
    "logins": N_("Sign-ins"),
    "failures": N_("Failed attempts"),
    "throttled": N_("Throttled attempts"),
    "disabled": N_("Sign-ins to disabled accounts"),
    "sessions": N_("Active sessions"),
    "new_users": N_("New users"),
    "hash_ms": N_("Password check time (ms)"),
}
_PERIODS = {
    "day": N_("Last day"),
    "week": N_("Last week"),
    "month": N_("Last month"),
}
#: Statistics for which a total has no meaning.
_WITHOUT_TOTAL = frozenset({"sessions", "hash_ms"})


#: The kinds of events behind a statistic; the others have no list.
_EVENTS = {
    "logins": EventType.LOGIN,
    "failures": EventType.LOGIN_FAILED,
    "throttled": EventType.THROTTLED,
    "new_users": EventType.USER_ADDED,
}


class Slot(NamedTuple):
    """A slot of a chart: its bar, and its value and time in words."""

    bar: Bar
    #: Such as "27 Nov, 21:00" and its end.
    time: str
    value: Value
    #: The address of its events, if there are any.
    url: str | None
    #: True for the last slot, which has not ended.
    is_unfinished: bool


class Chart(NamedTuple):
    """One statistic as the page shows it."""

    name: str
    heading: str
    slots: list[Slot]
    bars: BarChart
    #: The sum of the values; `None` if it has no meaning.
    total: Value

    @property
    def has_data(self) -> bool:
        """Return True if a slot has a value."""
        return any(slot.value is not None for slot in self.slots)


@pages.get(ADMIN_STATISTICS)
def show_statistics() -> Response:
    """Show the statistics of a day, a week or a month."""
    authorize(Action.SEE_FIGURES)
    period = current_request().args.get("period", "day")
    found = statistics(period if period in PERIODS else "day")
    step = len(found.begins) // TIME_LABELS
    return page(
        "admin_statistics.html",
        200 if period in PERIODS else 400,
        period=found.period,
        periods=[(name, gettext(text)) for name, text in _PERIODS.items()],
        hours=found.hours,
        charts=[_chart(name, found) for name in found.values],
        labels=[
            (
                round(WIDTH / len(found.begins) * number, 1),
                _label(found.begins[number], found.hours),
            )
            for number in range(0, len(found.begins) - step // 2, step)
        ],
        width=WIDTH,
        height=HEIGHT,
        here=own_url(f"{ADMIN_STATISTICS}?period={found.period}"),
        days_kept=settings.EVENTS_KEPT.read(),
    )


def _chart(name: str, found: Statistics) -> Chart:
    """Return the chart of one statistic."""
    # Nothing was counted in an hour without the service: that is no 0.
    values = [
        value if is_recorded else None
        for value, is_recorded in zip(
            found.values[name], found.recorded, strict=True
        )
    ]
    bars = bar_chart(values)
    kind, last = _EVENTS.get(name), len(values) - 1
    return Chart(
        name,
        gettext(_HEADINGS[name]),
        [
            Slot(
                bar,
                _slot_text(found.begins[bar.slot], found.hours),
                values[bar.slot],
                _events_url(kind, found.begins[bar.slot], found.hours)
                if kind and values[bar.slot]
                else None,
                bar.slot == last,
            )
            for bar in bars.bars
        ],
        bars,
        None if name in _WITHOUT_TOTAL else sum(filter(None, values)),
    )


def _slot_text(begin: datetime, hours: int) -> str:
    """Return when a slot is, in the zone of the pages."""
    first, code = begin.astimezone(zone()), Locale.parse(language())
    end = (begin + timedelta(hours=hours)).astimezone(zone())
    day = format_datetime(first, "d MMM", zone(), code)
    if hours >= 24:
        return f"{day}, {first:%H:%M} \u2013 " + format_datetime(
            end, "d MMM, HH:mm", zone(), code
        )
    return f"{day}, {first:%H:%M}\u2013{end:%H:%M}"


def _label(begin: datetime, hours: int) -> str:
    """Return the label of a slot on the time axis."""
    form = "HH:mm" if hours == 1 else "d MMM"
    return format_datetime(begin, form, zone(), Locale.parse(language()))


def _events_url(kind: EventType, begin: datetime, hours: int) -> str:
    """Return the address of the events of a slot."""
    times = [
        moment.astimezone(zone()).replace(tzinfo=None)
        for moment in (begin, begin + timedelta(hours=hours))
    ]
    query = urlencode(
        {
            "kind": kind.value,
            "since": times[0].isoformat(timespec="minutes"),
            "until": times[1].isoformat(timespec="minutes"),
        }
    )
    return own_url(f"{ADMIN_EVENTS}?{query}")

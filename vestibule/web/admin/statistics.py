#!/usr/bin/env python3
"""The statistics page: a bar chart of each statistic, or a table of all.

The script adds to a chart what shows the value of a slot and leads to its
events. The table has the same values and links without scripts.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

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


class BarChart(NamedTuple):
    """The bars of a series of values, and its scale."""

    #: The height of each bar, in SVG units; `None` without data.
    heights: list[float | None]
    #: The values of the ticks, from 0 to the top of the axis.
    ticks: list[float]
    #: The index of the highest value; `None` if there is none above 0.
    highest: int | None

    @property
    def finished(self) -> str:
        """Return the path of all bars but the last one."""
        return self._path(range(len(self.heights) - 1))

    @property
    def unfinished(self) -> str:
        """Return the path of the last bar, whose slot has not ended."""
        return self._path(range(len(self.heights))[-1:])

    @property
    def missing(self) -> str:
        """Return the path of the marks of slots without data."""
        return "".join(
            f"M{self._left(number):g} {HEIGHT - 4}h{self._width:g}"
            for number, height in enumerate(self.heights)
            if height is None
        )

    @property
    def axis(self) -> str:
        """Return the path of the lines of the ticks."""
        return "".join(f"M0 {y:g}h{WIDTH}" for y, _ in self.scale)

    @property
    def scale(self) -> list[tuple[float, float]]:
        """Return each tick: its distance from the top, and its value."""
        return [
            (round(HEIGHT - tick / self.ticks[-1] * HEIGHT, 1), tick)
            for tick in self.ticks
        ]

    def _path(self, numbers: range) -> str:
        """Return the path of the bars with these numbers."""
        return "".join(
            f"M{self._left(number):g} {HEIGHT}v-{height:g}"
            f"h{self._width:g}V{HEIGHT}z"
            for number in numbers
            if (height := self.heights[number])
        )

    def _left(self, number: int) -> float:
        """Return the left edge of a bar."""
        slot = WIDTH / len(self.heights)
        return round(slot * (number + (1 - _BAR_SHARE) / 2), 1)

    @property
    def _width(self) -> float:
        """Return the width of a bar."""
        return round(WIDTH / len(self.heights) * _BAR_SHARE, 1)


def bar_chart(values: Sequence[Value]) -> BarChart:
    """Return the bar chart of a series of values.

    A value of 0 has no bar; `None` has a mark of its own.
    """
    known = [value for value in values if value is not None]
    highest = max(known, default=0)
    ticks = axis_ticks(highest)
    heights = [
        round(max(_MIN_BAR_HEIGHT, value / ticks[-1] * HEIGHT), 1)
        if value
        else value
        for value in values
    ]
    return BarChart(heights, ticks, values.index(highest) if highest else None)


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
    "disabled": EventType.LOGIN_DISABLED,
    "new_users": EventType.USER_ADDED,
}


class Slot(NamedTuple):
    """A slot of all charts: its time in words, and where its events begin."""

    #: Such as "27 Nov, 21:00" and its end.
    time: str
    #: The times of a query for its events.
    since: str
    until: str
    #: True for the last slot, which has not ended.
    is_unfinished: bool


class Chart(NamedTuple):
    """One statistic as the page shows it."""

    name: str
    heading: str
    #: The kind of the events behind it; "" if they have no list.
    kind: str
    values: list[Value]
    bars: BarChart
    #: The sum of the values; `None` if it has no meaning.
    total: Value

    @property
    def has_data(self) -> bool:
        """Return True if a slot has a value."""
        return any(value is not None for value in self.values)


@pages.get(ADMIN_STATISTICS)
def show_statistics() -> Response:
    """Show the statistics of a day, a week or a month."""
    authorize(Action.SEE_FIGURES)
    given = current_request().args
    period = given.get("period", "day")
    found = statistics(period if period in PERIODS else "day")
    view = "&view=table" if given.get("view") == "table" else ""
    step = len(found.begins) // TIME_LABELS
    return page(
        "admin_statistics.html",
        200 if period in PERIODS else 400,
        period=found.period,
        periods=[(name, gettext(text)) for name, text in _PERIODS.items()],
        view=view,
        slots=_slots(found),
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
        here=own_url(f"{ADMIN_STATISTICS}?period={found.period}{view}"),
        days_kept=settings.EVENTS_KEPT.read(),
    )


def _slots(found: Statistics) -> list[Slot]:
    """Return the slots of all charts."""
    step, last = timedelta(hours=found.hours), found.begins[-1]
    code, where = Locale.parse(language()), zone()
    return [
        Slot(
            _slot_text(
                begin.astimezone(where),
                (begin + step).astimezone(where),
                found.hours,
                partial(format_datetime, locale=code),
            ),
            _query_time(begin),
            _query_time(begin + step),
            begin is last,
        )
        for begin in found.begins
    ]


def _chart(name: str, found: Statistics) -> Chart:
    """Return the chart of one statistic."""
    # Nothing was counted in an hour without the service: that is no 0.
    values = [
        value if is_recorded else None
        for value, is_recorded in zip(
            found.values[name], found.recorded, strict=True
        )
    ]
    kind = _EVENTS.get(name)
    return Chart(
        name,
        gettext(_HEADINGS[name]),
        "" if kind is None else kind.value,
        values,
        bar_chart(values),
        None if name in _WITHOUT_TOTAL else sum(filter(None, values)),
    )


def _slot_text(
    first: datetime, end: datetime, hours: int, in_words: Callable[..., str]
) -> str:
    """Return when a slot of some hours is, in the zone of its times."""
    day = in_words(first, "d MMM", first.tzinfo)
    if hours < 24:
        return f"{day}, {first:%H:%M}\u2013{end:%H:%M}"
    if first.time() == end.time() == time():
        return day
    last = in_words(end, "d MMM, HH:mm", first.tzinfo)
    return f"{day}, {first:%H:%M} \u2013 {last}"


def _label(begin: datetime, hours: int) -> str:
    """Return the label of a slot on the time axis."""
    form = "HH:mm" if hours == 1 else "d MMM"
    return format_datetime(begin, form, zone(), Locale.parse(language()))


def _query_time(moment: datetime) -> str:
    """Return a time for the filter of events, in the zone of the pages.

    The hour that a zone has twice needs its offset from UTC.
    """
    local = moment.astimezone(zone())
    text = local.replace(tzinfo=None).isoformat(timespec="minutes")
    if local.replace(fold=1 - local.fold).utcoffset() == local.utcoffset():
        return text
    return quote(local.isoformat(timespec="minutes"), safe=":")

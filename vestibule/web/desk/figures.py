#!/usr/bin/env python3
"""The desk's figures: small plots, each with a table behind it."""

from typing import NamedTuple

from flask import Response

from api.v1.permit import permit
from api.v1.request import current_request
from vestibule import settings
from vestibule.accounts.policy import Action
from vestibule.desk.figures import PERIODS, Value, figures
from vestibule.web.addresses import DESK_FIGURES
from vestibule.web.blueprint import pages
from vestibule.web.desk.plots import HEIGHT, WIDTH, Plot, plotted
from vestibule.web.language import gettext, marked
from vestibule.web.rendering import page

_HEADINGS = {
    "logins": marked("Logins"),
    "failures": marked("Failed attempts"),
    "throttled": marked("Attempts that had to wait"),
    "sessions": marked("Live sessions"),
    "new_users": marked("New users"),
    "hash_ms": marked("Time of one password check, in milliseconds"),
}
_PERIODS = {
    "day": marked("Last day"),
    "week": marked("Last week"),
    "month": marked("Last month"),
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


@pages.get(DESK_FIGURES)
def show_figures_here() -> Response:
    """Show the figures of a day, a week or a month."""
    permit(Action.SEE_FIGURES)
    asked = current_request().args.get("period", "day")
    found = figures(asked if asked in PERIODS else "day")
    return page(
        "desk_figures.html",
        200 if asked in PERIODS else 400,
        period=found.period,
        periods=[(name, gettext(text)) for name, text in _PERIODS.items()],
        begins=found.begins,
        hours=found.hours,
        shown=[
            Figure(
                name, gettext(_HEADINGS[name]), values, plotted(values),
                None if name in _STATES else sum(filter(None, values)),
            )
            for name, values in found.values.items()
        ],
        width=WIDTH,
        height=HEIGHT,
        kept=settings.EVENTS_KEPT.read(),
    )

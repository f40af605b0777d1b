#!/usr/bin/env python3
"""The desk's events: what happened to whom, as a list and as a file."""

from flask import Response

from api.v1.permit import permit
from api.v1.views.overview import exported, found_events
from models.events import Happening
from vestibule import settings
from vestibule.accounts.policy import Action
from vestibule.desk import filters
from vestibule.desk.export import FORMATS
from vestibule.errors import InvalidValue
from vestibule.observe.security import Event
from vestibule.web.activity import ALARMING, called, told
from vestibule.web.addresses import DESK_EVENTS
from vestibule.web.blueprint import pages
from vestibule.web.desk.listing import MOST, Typed, names_of
from vestibule.web.devices import device
from vestibule.web.rendering import page

_EXPORT = f"{DESK_EVENTS}/export"
_FIELDS = ("user", "kind", "network", "since", "until")


@pages.get(DESK_EVENTS)
def show_events() -> Response:
    """Show what happened, the newest first."""
    permit(Action.LIST_EVENTS)
    return _shown(Typed(*_FIELDS))


@pages.get(_EXPORT)
def export_events_here() -> Response:
    """Send what is asked for as a file."""
    permit(Action.LIST_EVENTS)
    typed = Typed(*_FIELDS, "format")
    sent = typed.found(lambda: exported(typed.values), None)
    return _shown(typed) if sent is None else sent


def _shown(typed: Typed) -> Response:
    """Return the page of events by the filter that was typed."""
    nothing: tuple[list[Happening], str | None] = ([], None)
    found, following = typed.found(
        lambda: found_events(
            filters.events_of(typed.values), MOST, typed.after
        ),
        nothing,
    )
    return page(
        "desk_events.html",
        typed.status,
        happenings=found,
        names=names_of(
            id for one in found for id in (one.user_id, one.by_id)
        ),
        kinds=sorted(
            ((kind.value, called(kind)) for kind in Event),
            key=lambda each: each[1],
        ),
        typed=typed,
        moments={
            name: _in_field(typed, name) for name in ("since", "until")
        },
        first=typed.address(DESK_EVENTS),
        next=following and typed.address(DESK_EVENTS, after=following),
        files=[
            (name, typed.address(_EXPORT, format=name)) for name in FORMATS
        ],
        kept=settings.EVENTS_KEPT.read(),
        told=told,
        device=device,
        alarming=ALARMING,
    )


def _in_field(typed: Typed, name: str) -> str:
    """Return a moment in UTC, in the one form that its field takes.

    A browser drops any other; what is no moment is told beside the field.
    """
    try:
        moment = filters.moment_of(typed.values, name)
    except InvalidValue:
        return ""
    return moment.replace(tzinfo=None).isoformat() if moment else ""

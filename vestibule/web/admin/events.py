#!/usr/bin/env python3
"""The desk's events: what happened to whom, as a list and as a file."""

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import filters
from vestibule.api.views.admin_activity import export_response, search_events
from vestibule.audit.export import FORMATS
from vestibule.audit.log import EventType
from vestibule.core import settings
from vestibule.core.errors import InvalidValue
from vestibule.db.events import Event
from vestibule.http.access import authorize
from vestibule.web.activity import (
    ALARMING,
    describe_event,
    device_label,
    event_label,
)
from vestibule.web.admin.lists import PAGE_ROWS, FilterForm, user_names
from vestibule.web.routes import ADMIN_EVENTS, pages
from vestibule.web.templating import page

_EXPORT = f"{ADMIN_EVENTS}/export"
_FIELDS = ("user", "kind", "network", "since", "until")


@pages.get(ADMIN_EVENTS)
def show_events() -> Response:
    """Show what happened, the newest first."""
    authorize(Action.LIST_EVENTS)
    return _shown(FilterForm(*_FIELDS))


@pages.get(_EXPORT)
def export_events_here() -> Response:
    """Send what is asked for as a file."""
    authorize(Action.LIST_EVENTS)
    typed = FilterForm(*_FIELDS, "format")
    sent = typed.found(lambda: export_response(typed.values), None)
    return _shown(typed) if sent is None else sent


def _shown(typed: FilterForm) -> Response:
    """Return the page of events by the filter that was typed."""
    nothing: tuple[list[Event], str | None] = ([], None)
    found, following = typed.found(
        lambda: search_events(
            filters.parse_event_filter(typed.values), PAGE_ROWS, typed.after
        ),
        nothing,
    )
    return page(
        "admin_events.html",
        typed.status,
        happenings=found,
        names=user_names(
            id for one in found for id in (one.user_id, one.by_id)
        ),
        kinds=sorted(
            ((kind.value, event_label(kind)) for kind in EventType),
            key=lambda each: each[1],
        ),
        typed=typed,
        moments={name: _in_field(typed, name) for name in ("since", "until")},
        first=typed.address(ADMIN_EVENTS),
        next=following and typed.address(ADMIN_EVENTS, after=following),
        files=[
            (name, typed.address(_EXPORT, format=name)) for name in FORMATS
        ],
        kept=settings.EVENTS_KEPT.read(),
        told=describe_event,
        device=device_label,
        alarming=ALARMING,
    )


def _in_field(typed: FilterForm, name: str) -> str:
    """Return a moment in UTC, in the one form that its field takes.

    A browser drops any other; what is no moment is told beside the field.
    """
    try:
        moment = filters.parse_time(typed.values, name)
    except InvalidValue:
        return ""
    return moment.replace(tzinfo=None).isoformat() if moment else ""

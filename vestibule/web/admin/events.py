#!/usr/bin/env python3
"""The events of the security log, as a list and as a file."""

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import filters
from vestibule.admin.cursor import search_events
from vestibule.api.views.admin_activity import export_response
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
    """Show the events that the filter selects, newest first."""
    authorize(Action.LIST_EVENTS)
    return _events_page(FilterForm(*_FIELDS))


@pages.get(_EXPORT)
def export_events_page() -> Response:
    """Send the events that the filter selects as a file."""
    authorize(Action.LIST_EVENTS)
    form = FilterForm(*_FIELDS, "format")
    file = form.run(lambda: export_response(form.values), None)
    return _events_page(form) if file is None else file


def _events_page(form: FilterForm) -> Response:
    """Return the page of the events that the filter selects."""
    nothing: tuple[list[Event], str | None] = ([], None)
    events, cursor = form.run(
        lambda: search_events(
            filters.parse_event_filter(form.values), PAGE_ROWS, form.cursor
        ),
        nothing,
    )
    return page(
        "admin_events.html",
        form.status,
        events=events,
        names=user_names(
            id for event in events for id in (event.user_id, event.by_id)
        ),
        kinds=sorted(
            ((kind.value, event_label(kind)) for kind in EventType),
            key=lambda each: each[1],
        ),
        filter=form,
        times={name: _time_field(form, name) for name in ("since", "until")},
        first=form.url(ADMIN_EVENTS),
        next=form.next_url(ADMIN_EVENTS, cursor),
        files=[(name, form.url(_EXPORT, format=name)) for name in FORMATS],
        days_kept=settings.EVENTS_KEPT.read(),
        describe_event=describe_event,
        device_label=device_label,
        alarming=ALARMING,
    )


def _time_field(form: FilterForm, name: str) -> str:
    """Return a time in UTC as `<input type=datetime-local>` needs it.

    Browsers drop values in any other format. Return an empty string for an
    invalid time: the field shows an error message then.
    """
    try:
        moment = filters.parse_time(form.values, name)
    except InvalidValue:
        return ""
    return moment.replace(tzinfo=None).isoformat() if moment else ""

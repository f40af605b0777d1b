#!/usr/bin/env python3
"""The events of the security log, as a list and as a file."""

import codecs
from datetime import datetime
from itertools import chain

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import filters
from vestibule.admin.cursor import EventList, list_events
from vestibule.api.views.admin_activity import export_response
from vestibule.audit.export import FORMATS
from vestibule.audit.log import EventType
from vestibule.core import settings
from vestibule.core.errors import InvalidValue
from vestibule.db.event_search import NEWEST_FIRST, count_events
from vestibule.db.events import EventFilter
from vestibule.http.access import authorize
from vestibule.web.activity import (
    ALARMING,
    describe_event,
    device_label,
    event_label,
)
from vestibule.web.admin.lists import FilterForm, count_text, user_names
from vestibule.web.i18n import to_utc, zone
from vestibule.web.routes import ADMIN_EVENTS, pages
from vestibule.web.templating import page

_EXPORT = f"{ADMIN_EVENTS}/export"
_FIELDS = ("user", "kind", "network", "since", "until", "sort")


@pages.get(ADMIN_EVENTS)
def show_events() -> Response:
    """Show the events that the filter selects, newest first."""
    authorize(Action.LIST_EVENTS)
    return _events_page(FilterForm(ADMIN_EVENTS, *_FIELDS))


@pages.get(_EXPORT)
def export_events_page() -> Response:
    """Send the events that the filter selects as a file."""
    authorize(Action.LIST_EVENTS)
    form = FilterForm(ADMIN_EVENTS, *_FIELDS, "format")
    form.values["format"] = form.values["format"] or "csv"
    file = form.run(lambda: export_response(_in_utc(form), zone()), None)
    if file is None:
        return _events_page(form)
    if file.mimetype == "text/csv":
        # Without it, Excel does not read the file as UTF-8.
        file.response = chain((codecs.BOM_UTF8,), file.iter_encoded())
    return file


def _events_page(form: FilterForm) -> Response:
    """Return the page of the events that the filter selects."""
    wanted = form.run(
        lambda: filters.parse_event_filter(_in_utc(form)), EventFilter()
    )
    sort = form.values["sort"]
    found = form.run(
        lambda: list_events(wanted, sort, form.size, form.cursor),
        EventList([], None),
    )
    count = ""
    if form.status == 200:
        count = count_text("events", count_events(wanted))
    else:
        found = EventList([], None)
    events = found.events
    return page(
        "admin_events.html",
        form.status,
        events=events,
        count=count,
        sort=sort or NEWEST_FIRST,
        names=user_names(
            id for event in events for id in (event.user_id, event.by_id)
        ),
        kinds=sorted(
            ((kind.value, event_label(kind)) for kind in EventType),
            key=lambda each: each[1],
        ),
        filter=form,
        times={name: _time_field(form, name) for name in ("since", "until")},
        next=form.link(found.next),
        previous=form.link(found.previous),
        files=[(name, form.url(_EXPORT, format=name)) for name in FORMATS],
        days_kept=settings.EVENTS_KEPT.read(),
        describe_event=describe_event,
        event_label=event_label,
        device_label=device_label,
        alarming=ALARMING,
    )


def _in_utc(form: FilterForm) -> dict[str, str]:
    """Return the values of the form, with times in UTC.

    Raise `InvalidValue` for a time that is none.
    """
    return form.values | {
        name: to_utc(form.values[name], name) for name in ("since", "until")
    }


def _time_field(form: FilterForm, name: str) -> str:
    """Return a time as `<input type=datetime-local>` needs it.

    It is in the zone of the pages. Browsers drop values in any other
    format. Return an empty string for an invalid time: the field shows an
    error message then.
    """
    try:
        moment = to_utc(form.values[name], name)
        local = datetime.fromisoformat(moment).astimezone(zone())
    except (ValueError, InvalidValue, OverflowError):
        return ""
    return local.replace(tzinfo=None).isoformat()

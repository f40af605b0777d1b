#!/usr/bin/env python3
"""The events of the security log, as a list and as a file."""

import codecs
from collections.abc import Sequence
from datetime import datetime, tzinfo

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import filters
from vestibule.admin.cursor import EventList, list_events
from vestibule.api.views.admin_activity import export_response
from vestibule.audit.export import FIELDS, FORMATS, csv_rows, event_record
from vestibule.audit.log import EventType
from vestibule.core import settings
from vestibule.core.errors import InvalidValue
from vestibule.db.event_search import NEWEST_FIRST, count_events
from vestibule.db.events import Event, EventFilter
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
    file = form.run(
        lambda: export_response(_in_utc(form), zone(), _FORMATS), None
    )
    return _events_page(form) if file is None else file


def _rows_with_emails(batch: Sequence[Event], where: tzinfo) -> bytes:
    """Return rows of a CSV file, with the emails of the users."""
    names = user_names(id for one in batch for id in (one.user_id, one.by_id))
    return csv_rows(
        (
            *event_record(one, where).values(),
            names.get(one.user_id or ""),
            names.get(one.by_id or ""),
        )
        for one in batch
    )


#: The formats of the pages. Without a byte order mark, Excel does not read
#: a file as UTF-8.
_FORMATS = {
    **FORMATS,
    "csv": FORMATS["csv"]._replace(
        header=codecs.BOM_UTF8
        + ",".join((*FIELDS, "email", "by_email")).encode()
        + b"\r\n",
        write=_rows_with_emails,
    ),
}


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

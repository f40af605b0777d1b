#!/usr/bin/env python3
"""Admin views of the sessions, events and statistics of all users."""

from collections.abc import Mapping
from datetime import UTC, tzinfo

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import cursor, filters
from vestibule.admin.filters import (
    SessionSource,
)
from vestibule.admin.statistics import statistics
from vestibule.api.views.admin import wrong_format
from vestibule.api.views.index import app_views
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    format_time,
    session_json,
    with_applications,
)
from vestibule.audit.export import FORMATS, Format, event_record, export_file
from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.http.responses import json_response

Given = Mapping[str, str]


@app_views.get("/sessions")
def list_all_sessions() -> Response:
    """Show the live sessions of all users, newest first, by page."""
    authorize(Action.LIST_ALL_SESSIONS)
    auth, given = current_mechanism_and_user()[0], current_request().args
    try:
        found = cursor.search_sessions(
            SessionSource(auth.store, auth.limits(), auth.now()),
            filters.parse_session_filter(given),
            filters.parse_limit(given),
            given.get("after", ""),
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    current, limits = current_request().session, auth.limits()
    return json_response(
        {
            "sessions": with_applications(
                auth.store,
                [
                    {
                        **session_json(each, limits, current),
                        "user_id": each.user_id,
                    }
                    for each in found.sessions
                ],
            ),
            "next": found.next,
        }
    )


@app_views.get("/events")
def list_events() -> Response:
    """Show the events, newest first, by page."""
    authorize(Action.LIST_EVENTS)
    given = current_request().args
    try:
        found, following = cursor.search_events(
            filters.parse_event_filter(given),
            filters.parse_limit(given),
            given.get("after", ""),
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response(
        {
            "events": [event_record(each) for each in found],
            "next": following,
        }
    )


@app_views.get("/admin/events")
def feed_events() -> Response:
    """Show the events in the order in which they were stored, by page."""
    authorize(Action.LIST_EVENTS)
    given = current_request().args
    try:
        found, following = cursor.feed_events(
            filters.parse_limit(given), given.get("after", "")
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response(
        {
            "events": [event_record(each) for each in found],
            "next": following,
        }
    )


@app_views.get("/events/export")
def export_events() -> Response:
    """Send the events as a file: CSV or JSON lines."""
    authorize(Action.LIST_EVENTS)
    try:
        return export_response(current_request().args)
    except InvalidValue as error:
        return wrong_format(error.field)


@app_views.get("/figures")
def show_figures() -> Response:
    """Show the statistics of each slot of a period."""
    authorize(Action.SEE_FIGURES)
    try:
        found = statistics(current_request().args.get("period", "day"))
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response(
        {
            "period": found.period,
            "slots": [
                {
                    "from": format_time(begin),
                    "hours": found.hours,
                    **{
                        name: values[number]
                        for name, values in found.values.items()
                    },
                }
                for number, begin in enumerate(found.begins)
            ],
        }
    )


def export_response(
    given: Given,
    zone: tzinfo = UTC,
    formats: Mapping[str, Format] = FORMATS,
) -> Response:
    """Return the file of the events that match the filter.

    It is read while it is sent; its times are in `zone`. Raise
    `InvalidValue` or a database error.
    """
    name = given.get("format", "csv")
    if name not in formats:
        raise InvalidValue(
            "format", f"must be one of {', '.join(formats)}", code="invalid"
        )
    form = formats[name]
    response = Response(
        export_file(filters.parse_event_filter(given), form, zone),
        mimetype=form.mimetype,
    )
    day = clock.now().strftime("%Y-%m-%d")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="events-{day}.{name}"'
    )
    return response

#!/usr/bin/env python3
"""What admins see of all: sessions, events, figures."""

import re
from collections.abc import Mapping

from flask import Response

from api.v1.answers import answer
from api.v1.auth.session_auth import SessionAuth
from api.v1.permit import permit
from api.v1.request import current_request
from api.v1.views.admin import wrong_format
from api.v1.views.blueprint import app_views
from api.v1.views.sessions import (
    asking,
    current_session,
    described,
    plain_moment,
)
from models import events
from models.events import Happening, Wanted
from vestibule import clock
from vestibule.accounts.policy import Action
from vestibule.desk import filters, places
from vestibule.desk.export import FORMATS, record_of, sent
from vestibule.desk.figures import figures
from vestibule.desk.filters import SessionsSought
from vestibule.desk.sessions import Judge, LivePage, live_page
from vestibule.errors import InvalidValue

_NUMBER = re.compile(r"[0-9]{1,18}")
Given = Mapping[str, str]


@app_views.get("/sessions")
def list_all_sessions() -> Response:
    """Show everybody's live sessions, the newest first, by page."""
    permit(Action.LIST_ALL_SESSIONS)
    auth, given = asking()[0], current_request().args
    try:
        found = live_sessions(
            auth,
            filters.sessions_of(given),
            filters.limit_of(given),
            given.get("after", ""),
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    current, limits = current_session(auth), auth.limits()
    return answer({
        "sessions": [
            {**described(each, limits, current), "user_id": each.user_id}
            for each in found.sessions
        ],
        "next": found.next,
    })


@app_views.get("/events")
def list_events() -> Response:
    """Show what happened, the newest first, by page."""
    permit(Action.LIST_EVENTS)
    given = current_request().args
    try:
        found, following = found_events(
            filters.events_of(given),
            filters.limit_of(given),
            given.get("after", ""),
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    return answer({
        "events": [record_of(each) for each in found], "next": following,
    })


@app_views.get("/events/export")
def export_events() -> Response:
    """Send what happened as a file: CSV, or JSON lines."""
    permit(Action.LIST_EVENTS)
    try:
        return exported(current_request().args)
    except InvalidValue as error:
        return wrong_format(error.field)


@app_views.get("/figures")
def show_figures() -> Response:
    """Show how much happened in each slot of a period."""
    permit(Action.SEE_FIGURES)
    try:
        found = figures(current_request().args.get("period", "day"))
    except InvalidValue as error:
        return wrong_format(error.field)
    return answer({
        "period": found.period,
        "slots": [
            {"from": plain_moment(begin), "hours": found.hours, **{
                name: values[number]
                for name, values in found.values.items()
            }}
            for number, begin in enumerate(found.begins)
        ],
    })


def live_sessions(
    auth: SessionAuth, sought: SessionsSought, most: int, after: str
) -> LivePage:
    """Return a page of live sessions, and the next one's place as text.

    Raise `InvalidValue` for a place that is none of this list.
    """
    place = places.read(after, sought)
    found = live_page(
        Judge(auth.store, auth.limits(), auth.now()),
        sought,
        most,
        None if place is None else "".join(place),
    )
    return found._replace(next=(
        None if found.next is None else places.written([found.next], sought)
    ))


def found_events(
    wanted: Wanted, most: int, after: str
) -> tuple[list[Happening], str | None]:
    """Return a page of events, and the place of the next one as text.

    Raise `InvalidValue` for a place that is none of this list.
    """
    place = places.read(after, wanted)
    number = "".join(place or "")
    if place is not None and not _NUMBER.fullmatch(number):
        raise InvalidValue("after", "is no place of this list")
    found = events.page(wanted, most, None if place is None else int(number))
    return found.happenings, (
        None if found.next is None
        else places.written([str(found.next)], wanted)
    )


def exported(given: Given) -> Response:
    """Return the file of the events that are asked for.

    It is read as it is sent. Raise `InvalidValue`, or as the database does.
    """
    name = given.get("format", "csv")
    if name not in FORMATS:
        raise InvalidValue("format", f"must be one of {', '.join(FORMATS)}")
    form = FORMATS[name]
    response = Response(
        sent(filters.events_of(given), form), mimetype=form.mimetype
    )
    day = clock.now().strftime("%Y-%m-%d")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="events-{day}.{name}"'
    )
    return response

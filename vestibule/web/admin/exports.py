#!/usr/bin/env python3
"""Users and sessions as CSV files, with the emails of the users.

A file is read from the database while it is sent. No cell is a formula in a
spreadsheet, times are in the zone of the pages, and a file that is cut
short says so in its last line. It begins with a byte order mark: without
one, Excel does not read it as UTF-8.
"""

import codecs
import csv
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import filters
from vestibule.admin.filters import SessionFilter, SessionSource
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.audit.export import EXPORT_BATCH_SIZE, escape_formula
from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.db import user_search
from vestibule.db.models.user import User
from vestibule.db.user_search import UserFilter
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.sessions.session import Session
from vestibule.web.admin.lists import PAGE_SIZES, user_names
from vestibule.web.forms import go_back
from vestibule.web.i18n import zone
from vestibule.web.messages import Message
from vestibule.web.routes import (
    ADMIN,
    ADMIN_SESSIONS,
    EXPORT_SESSIONS,
    EXPORT_USERS,
    pages,
)
from vestibule.web.templating import redirect

_log = logging.getLogger(__name__)
#: Users or sessions that can be selected for an export: those of a page.
MAX_SELECTED = max(PAGE_SIZES)
_USER_FIELDS = (
    "id",
    "email",
    "first_name",
    "last_name",
    "role",
    "created_at",
    "disabled_at",
    "signed_in_at",
)
_SESSION_FIELDS = (
    "handle",
    "user_id",
    "email",
    "ip",
    "user_agent",
    "created_at",
    "last_seen_at",
)
_ERROR_LINE = b"error: Service Unavailable\r\n"

Row = Sequence[str | datetime | None]


@pages.get(EXPORT_USERS)
def export_users() -> Response:
    """Send the selected users as a file, else those of the filter."""
    authorize(Action.FIND_USERS)
    given = current_request().args
    ids = given.getlist("id")[:MAX_SELECTED]
    if _has_no_selection(ids):
        return go_back(ADMIN, Message.NOTHING_SELECTED)
    if ids:
        users = [user for user in map(User.get, ids) if user is not None]
        return _file("users", _USER_FIELDS, [map(_user_row, users)])
    try:
        wanted = filters.parse_user_filter(given)
    except InvalidValue:
        return redirect(ADMIN)
    return _file("users", _USER_FIELDS, _user_batches(wanted))


@pages.get(EXPORT_SESSIONS)
def export_sessions() -> Response:
    """Send the selected sessions as a file, else those of the filter."""
    authorize(Action.LIST_ALL_SESSIONS)
    given, auth = current_request().args, current_mechanism_and_user()[0]
    handles = given.getlist("session")[:MAX_SELECTED]
    if _has_no_selection(handles):
        return go_back(ADMIN_SESSIONS, Message.NOTHING_SELECTED)
    if handles:
        found = [one for one in map(auth.store.find_by_handle, handles) if one]
        return _file("sessions", _SESSION_FIELDS, [_session_rows(found)])
    try:
        wanted = filters.parse_session_filter(given)
    except InvalidValue:
        return redirect(ADMIN_SESSIONS)
    source = SessionSource(auth.store, auth.limits(), auth.now())
    batches = _session_batches(source, wanted)
    return _file("sessions", _SESSION_FIELDS, batches)


def _has_no_selection(ids: Sequence[str]) -> bool:
    """Return True for the form of a list with no row selected.

    Its `back` tells it from the link to all results.
    """
    return not ids and "back" in current_request().args


def _user_batches(wanted: UserFilter) -> Iterator[Iterable[Row]]:
    """Yield rows of all users who meet a filter."""
    after = None
    while True:
        found = user_search.search_page(wanted, EXPORT_BATCH_SIZE, after)
        yield map(_user_row, found.users)
        after = found.next
        if after is None:
            return


def _session_batches(
    source: SessionSource, wanted: SessionFilter
) -> Iterator[Iterable[Row]]:
    """Yield rows of all live sessions that meet a filter."""
    after = None
    while True:
        found = filters.live_session_page(
            source, wanted, EXPORT_BATCH_SIZE, after
        )
        yield _session_rows(found.sessions)
        after = found.next
        if after is None:
            return


def _user_row(user: User) -> Row:
    """Return the cells of a user."""
    return [getattr(user, name) for name in _USER_FIELDS]


def _session_rows(sessions: Sequence[Session]) -> Iterator[Row]:
    """Yield the cells of sessions."""
    names = user_names(one.user_id for one in sessions)
    for one in sessions:
        yield (
            one.id,
            one.user_id,
            names.get(one.user_id or ""),
            one.ip,
            one.user_agent,
            one.created_at,
            one.last_seen_at,
        )


def _file(
    name: str, fields: Sequence[str], batches: Iterable[Iterable[Row]]
) -> Response:
    """Return a CSV file of rows, which is sent as a stream."""
    cell = _cell_in(zone())
    response = Response(_pieces(fields, batches, cell), mimetype="text/csv")
    day = clock.now().astimezone(zone()).strftime("%Y-%m-%d")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{name}-{day}.csv"'
    )
    return response


def _cell_in(where: tzinfo) -> Callable[[str | datetime | None], str | None]:
    """Return a function that writes a cell, with times in a zone."""

    def cell(value: str | datetime | None) -> str | None:
        """Return the text of a cell, which is no formula."""
        if isinstance(value, datetime):
            return value.astimezone(where).isoformat()
        escaped = escape_formula(value)
        return None if escaped is None else str(escaped)

    return cell


def _pieces(
    fields: Sequence[str],
    batches: Iterable[Iterable[Row]],
    cell: Callable[[str | datetime | None], str | None],
) -> Iterator[bytes]:
    """Yield the header and the batches of a file (RFC 4180)."""
    yield codecs.BOM_UTF8 + ",".join(fields).encode() + b"\r\n"
    try:
        for batch in batches:
            text = io.StringIO()
            csv.writer(text).writerows(map(cell, row) for row in batch)
            yield text.getvalue().encode()
    except Exception:
        # The status was sent already; the last line must not look complete.
        _log.exception("an export was cut short")
        yield _ERROR_LINE

#!/usr/bin/env python3
"""Pagination of the admin lists: their pages, and cursors as text.

A cursor is the position where the next page of a list starts. It is valid
for one list with one filter. A digest binds it to them; no signature is
needed, because a client that may page through a list may see all of it.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from vestibule.admin.filters import (
    SessionFilter,
    SessionSource,
    live_session_page,
)
from vestibule.core.crypto import digest_of
from vestibule.core.errors import InvalidValue
from vestibule.db import codes, event_search, events, mail_search, user_search
from vestibule.db.codes import (
    INVITATION_SORTS,
    NEWEST_INVITATIONS_FIRST,
    OpenInvitation,
)
from vestibule.db.event_search import EVENT_SORTS, NEWEST_FIRST
from vestibule.db.events import Event, EventFilter
from vestibule.db.keyset import Cursor
from vestibule.db.mail_search import MailFilter
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import OutgoingMail
from vestibule.db.user_search import UserFilter
from vestibule.sessions.session import Session

#: Characters of a cursor that are read.
MAX_CURSOR_LENGTH = 4_000
_DIGEST_LENGTH = 16
#: The list of all events in the order of storing.
_FEED = "feed of events"
_NUMBER = re.compile(r"[0-9]{1,18}")


class UserList(NamedTuple):
    """A page of users, with the cursors of its neighbours as text."""

    users: list[User]
    next: str | None
    previous: str | None = None


def search_users(wanted: UserFilter, most: int, after: str) -> UserList:
    """Return a page of users.

    Raise `InvalidValue` for a cursor of another list.
    """
    found = user_search.search_page(
        wanted, most, _keyset_cursor(decode(after, wanted))
    )
    return UserList(
        found.users,
        _encode_keyset(found.next, wanted),
        _encode_keyset(found.previous, wanted),
    )


def _keyset_cursor(position: tuple[str, ...] | None) -> Cursor | None:
    """Return the cursor of a decoded position: a direction, then values.

    A value has "=" before it; "" is NULL.
    """
    if position is None:
        return None
    direction, *values = position or ("",)
    if direction not in ("next", "previous"):
        raise invalid_cursor()
    return Cursor(
        tuple(value[1:] if value else None for value in values),
        direction == "previous",
    )


def _encode_keyset(cursor: Cursor | None, of: object) -> str | None:
    """Return a keyset cursor as text; `None` without one."""
    if cursor is None:
        return None
    values = ("" if each is None else f"={each}" for each in cursor.values)
    return encode(["previous" if cursor.is_backward else "next", *values], of)


class SessionList(NamedTuple):
    """A page of sessions, with the cursors of its neighbours as text."""

    sessions: list[Session]
    next: str | None
    previous: str | None = None


def search_sessions(
    source: SessionSource, wanted: SessionFilter, most: int, after: str
) -> SessionList:
    """Return a page of live sessions.

    Raise `InvalidValue` for a cursor of another list, or as the store's
    `search` does.
    """
    found = live_session_page(
        source, wanted, most, _keyset_cursor(decode(after, wanted))
    )
    return SessionList(
        found.sessions,
        _encode_keyset(found.next, wanted),
        _encode_keyset(found.previous, wanted),
    )


def search_events(
    wanted: EventFilter, most: int, after: str
) -> tuple[list[Event], str | None]:
    """Return a page of events and the cursor of the next page.

    Raise `InvalidValue` for a cursor of another list.
    """
    position = decode(after, wanted)
    number = "".join(position or "")
    if position is not None and not _NUMBER.fullmatch(number):
        raise invalid_cursor()
    found = events.fetch_page(
        wanted, most, None if position is None else int(number)
    )
    return found.events, (
        None if found.next is None else encode([str(found.next)], wanted)
    )


def feed_events(most: int, after: str) -> tuple[list[Event], str]:
    """Return the events that were stored after a cursor, and the next one.

    There is always a next one: later events come behind it. Raise
    `InvalidValue` for a cursor of another list.
    """
    position = decode(after, _FEED)
    number = "".join(position or "0")
    if not _NUMBER.fullmatch(number):
        raise invalid_cursor()
    found = events.fetch_stored_after(int(number), most)
    last = found[-1].position if found else number
    return found, encode([str(last)], _FEED)


class EventList(NamedTuple):
    """A page of events, with the cursors of its neighbours as text."""

    events: list[Event]
    next: str | None
    previous: str | None = None


def list_events(
    wanted: EventFilter, sort: str, most: int, after: str
) -> EventList:
    """Return a page of events in the order `sort`.

    Raise `InvalidValue` for another order, or a cursor of another list.
    """
    sort = sort or NEWEST_FIRST
    if sort not in EVENT_SORTS:
        raise InvalidValue("sort", "is not a valid order", code="invalid")
    of = wanted, sort
    found = event_search.search_page(
        wanted, sort, most, _keyset_cursor(decode(after, of))
    )
    return EventList(
        found.events,
        _encode_keyset(found.next, of),
        _encode_keyset(found.previous, of),
    )


class InvitationList(NamedTuple):
    """A page of open invitations, with the cursors of its neighbours."""

    invitations: list[OpenInvitation]
    next: str | None
    previous: str | None = None


def list_invitations(
    sort: str, most: int, after: str, now: datetime
) -> InvitationList:
    """Return a page of the invitations that are open, in the order `sort`.

    Raise `InvalidValue` for another order, or a cursor of another list.
    """
    sort = sort or NEWEST_INVITATIONS_FIRST
    if sort not in INVITATION_SORTS:
        raise InvalidValue("sort", "is not a valid order", code="invalid")
    of = "invitations", sort
    found = codes.search_invitations(
        sort, most, _keyset_cursor(decode(after, of)), now
    )
    return InvitationList(
        found.invitations,
        _encode_keyset(found.next, of),
        _encode_keyset(found.previous, of),
    )


class MailList(NamedTuple):
    """A page of mails, with the cursors of its neighbours."""

    mails: list[OutgoingMail]
    next: str | None
    previous: str | None = None


def list_mails(wanted: MailFilter, most: int, after: str) -> MailList:
    """Return a page of the mails of the last week.

    Raise `InvalidValue` for a cursor of another list.
    """
    of = "mails", wanted
    found = mail_search.search_page(
        wanted, most, _keyset_cursor(decode(after, of))
    )
    return MailList(
        found.mails,
        _encode_keyset(found.next, of),
        _encode_keyset(found.previous, of),
    )


def encode(position: Sequence[str], of: object) -> str:
    """Return a position in the list `of` as text.

    `of` is the filter of the list; its `repr` must show all of it.
    """
    text = json.dumps(list(position))
    return _digest(text, of) + urlsafe_b64encode(text.encode()).decode()


def decode(given: str, of: object) -> tuple[str, ...] | None:
    """Return the position that was encoded; `None` for "", the start.

    Raise `InvalidValue` for an invalid cursor, or one of another list.
    """
    if not given:
        return None
    digest, rest = (
        given[:_DIGEST_LENGTH],
        given[_DIGEST_LENGTH:MAX_CURSOR_LENGTH],
    )
    try:
        text = urlsafe_b64decode(rest.encode("ascii")).decode()
        position = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid_cursor() from None
    if digest != _digest(text, of) or not isinstance(position, list):
        raise invalid_cursor()
    if not all(map(is_storable, position)):
        raise invalid_cursor()
    return tuple(position)


def _digest(text: str, of: object) -> str:
    """Return the digest that binds a position to the list `of`."""
    return digest_of(f"{of!r} {text}")[:_DIGEST_LENGTH]


def invalid_cursor() -> InvalidValue:
    """Return the error for a cursor that does not belong to the list."""
    return InvalidValue("after", "is not a valid cursor", code="invalid")

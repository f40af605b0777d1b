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

from vestibule.admin.filters import (
    LiveSessionPage,
    SessionFilter,
    SessionSource,
    live_session_page,
)
from vestibule.core.digest import digest_of
from vestibule.core.errors import InvalidValue
from vestibule.db import events, user_search
from vestibule.db.events import Event, EventFilter
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.db.user_search import Cursor, UserFilter

#: Characters of a cursor that are read.
MAX_CURSOR_LENGTH = 4_000
_DIGEST_LENGTH = 16
_NUMBER = re.compile(r"[0-9]{1,18}")


def search_users(
    wanted: UserFilter, most: int, after: str
) -> tuple[list[User], str | None]:
    """Return a page of users and the cursor of the next page.

    Raise `InvalidValue` for a cursor of another list.
    """
    position = decode(after, wanted)
    if position is not None and len(position) != len(Cursor._fields):
        raise invalid_cursor()
    found = user_search.search_page(
        wanted, most, None if position is None else Cursor(*position)
    )
    return found.users, (
        None if found.next is None else encode(found.next, wanted)
    )


def search_sessions(
    source: SessionSource, wanted: SessionFilter, most: int, after: str
) -> LiveSessionPage:
    """Return a page of live sessions; its `next` is a cursor.

    Raise `InvalidValue` for a cursor of another list.
    """
    position = decode(after, wanted)
    found = live_session_page(
        source,
        wanted,
        most,
        None if position is None else "".join(position),
    )
    return found._replace(
        next=(None if found.next is None else encode([found.next], wanted))
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

#!/usr/bin/env python3
"""Parse the filters of the admin lists, and page through live sessions.

An invalid value is refused with the name of its field; an empty one does
not filter. A page of sessions scans at most `MAX_ROWS_SCANNED` rows,
including expired sessions and those of other devices.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from vestibule.audit.log import EventType
from vestibule.core.client_info import device_name
from vestibule.core.errors import InvalidValue
from vestibule.core.request_headers import UNKNOWN_ADDRESS, network_of
from vestibule.db.column_types import as_utc
from vestibule.db.events import EventFilter
from vestibule.db.keyset import Cursor
from vestibule.db.mail_search import MAIL_SORTS, MailFilter
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User, parse_role
from vestibule.db.outgoing_mails import STATES
from vestibule.db.session_search import (
    NEWEST_SESSIONS_FIRST,
    SESSION_SORTS,
    SessionQuery,
)
from vestibule.db.user_search import SORTS, UserFilter
from vestibule.sessions.lifetime import Limits, expiry_reason
from vestibule.sessions.session import Session
from vestibule.sessions.store import SessionStore, SortedPage

#: Characters of the value of a filter.
MAX_FILTER_LENGTH = 256
#: Rows of a page at most, and rows of a page without a `limit`.
MAX_PAGE_ROWS, DEFAULT_PAGE_ROWS = 200, 50
#: Sessions that are scanned for one page at most.
MAX_ROWS_SCANNED = 1_000
#: Sessions that one query of a scan reads, after the first one. Half of the
#: time of a short query is spent on its preparation.
SCAN_STEP = 250
#: Ids that one request may have: the rows of a long page.
MAX_IDS = MAX_PAGE_ROWS
_WORDS = {"yes": True, "true": True, "no": False, "false": False}

FormValues = Mapping[str, str]


class SessionFilter(NamedTuple):
    """Which sessions to list; `None` does not filter."""

    user_id: str | None = None
    network: str | None = None
    #: A part of the name of the device.
    device: str | None = None
    #: One of `SESSION_SORTS`; "" is the newest first.
    sort: str = ""


def parse_user_filter(given: FormValues) -> UserFilter:
    """Return the filter of `q`, `role`, `disabled`, `signed_in`, `sort`.

    Raise `InvalidValue`.
    """
    role = _text(given, "role")
    return UserFilter(
        _text(given, "q"),
        parse_role(role) if role else None,
        _yes_or_no(given, "disabled"),
        _yes_or_no(given, "signed_in"),
        _sort(given, SORTS),
    )


def parse_session_filter(given: FormValues) -> SessionFilter:
    """Return the filter of `user`, `network`, `device` and `sort`.

    Raise `InvalidValue`.
    """
    return SessionFilter(
        _user_id(given),
        _network(given),
        _text(given, "device") or None,
        _sort(given, SESSION_SORTS),
    )


def parse_event_filter(given: FormValues) -> EventFilter:
    """Return the filter of `user`, `kind`, `network`, `since`, `until`.

    Raise `InvalidValue`.
    """
    kind = _text(given, "kind")
    if kind and kind not in list(EventType):
        raise InvalidValue("kind", "is not a type of event", code="invalid")
    return EventFilter(
        _user_id(given),
        kind or None,
        _network(given),
        parse_time(given, "since"),
        parse_time(given, "until"),
    )


def parse_mail_filter(given: FormValues) -> MailFilter:
    """Return the filter of `user`, `state` and `sort`.

    Raise `InvalidValue`.
    """
    state = _text(given, "state") or None
    if state is not None and state not in STATES:
        raise InvalidValue("state", "is not a valid state", code="invalid")
    return MailFilter(state, _user_id(given), _sort(given, MAIL_SORTS))


def parse_limit(given: FormValues, default: int = DEFAULT_PAGE_ROWS) -> int:
    """Return the number of rows of a page; raise `InvalidValue`."""
    text = _text(given, "limit") or str(default)
    if not (
        text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PAGE_ROWS
    ):
        raise InvalidValue(
            "limit",
            f"must be a number from 1 to {MAX_PAGE_ROWS}",
            code="invalid",
        )
    return int(text)


def parse_ids(lists: Iterable[str]) -> list[str]:
    """Return the ids in lists separated by commas, each once, in order.

    Raise `InvalidValue` for too many, or for one that no user can have.
    """
    found = dict.fromkeys(
        one for each in lists for one in each.split(",") if one
    )
    if len(found) > MAX_IDS:
        raise InvalidValue(
            "ids", f"must be at most {MAX_IDS}", code="too_long"
        )
    if not all(
        len(one) <= MAX_FILTER_LENGTH and is_storable(one) for one in found
    ):
        raise InvalidValue("ids", "must be ids of users", code="invalid")
    return list(found)


def parse_time(given: FormValues, field: str) -> datetime | None:
    """Return a time of ISO 8601, which is in UTC without a zone.

    Raise `InvalidValue`.
    """
    text = _text(given, field)
    try:
        return as_utc(datetime.fromisoformat(text)) if text else None
    except (ValueError, OverflowError):
        raise InvalidValue(
            field, "must be a date and time", code="invalid"
        ) from None


def _text(given: FormValues, field: str) -> str:
    """Return a value without spaces around it; "" if there is none."""
    text = given.get(field, "").strip()
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidValue(
            field,
            f"must have at most {MAX_FILTER_LENGTH} characters",
            code="too_long",
        )
    if not is_storable(text):
        raise InvalidValue(
            field,
            "contains an invalid character",
            code="invalid_character",
        )
    return text


def _sort(given: FormValues, sorts: Sequence[str]) -> str:
    """Return `sort`, one of `sorts` or ""; raise `InvalidValue`."""
    sort = _text(given, "sort")
    if sort and sort not in sorts:
        raise InvalidValue(
            "sort", f"must be one of {', '.join(sorts)}", code="invalid"
        )
    return sort


def _yes_or_no(given: FormValues, field: str) -> bool | None:
    """Return True for yes, False for no, `None` without a value."""
    text = _text(given, field)
    if text and text not in _WORDS:
        raise InvalidValue(field, "must be yes or no", code="invalid")
    return _WORDS.get(text)


def _user_id(given: FormValues) -> str | None:
    """Return the id of the user whose id or email was typed.

    An unknown id is returned as it is: the list is empty then.
    """
    text = _text(given, "user")
    found = User.search({"email": text}) if "@" in text else []
    return found[0].id if found else text or None


def _network(given: FormValues) -> str | None:
    """Return the network of an address, or a network as it is."""
    text = _text(given, "network")
    if not text:
        return None
    network = network_of(text.partition("/")[0])
    if network == UNKNOWN_ADDRESS != text:
        raise InvalidValue("network", "is not an address", code="invalid")
    return network


class SessionSource(NamedTuple):
    """The sessions, and the limits and time that decide which are live."""

    store: SessionStore
    limits: Limits
    now: datetime


class LiveSessionPage(NamedTuple):
    """Some live sessions, with the cursors of the pages beside them."""

    sessions: list[Session]
    next: Cursor | None
    previous: Cursor | None = None


def live_session_page(
    source: SessionSource,
    wanted: SessionFilter,
    most: int,
    cursor: Cursor | None,
) -> LiveSessionPage:
    """Return live sessions that match `wanted`.

    They are fewer than twice `most`. A page with `next` may have fewer than
    `most`: the scan has reached `MAX_ROWS_SCANNED` then. Raise
    `InvalidValue` as the store's `search` does.
    """
    found: list[Session] = []
    query = SessionQuery(
        wanted.user_id, wanted.network, wanted.sort or NEWEST_SESSIONS_FIRST
    )
    is_backward = cursor is not None and cursor.is_backward
    pages: list[SortedPage] = []
    scanned, size, step = 0, most, max(most, SCAN_STEP)
    while scanned < max(most, MAX_ROWS_SCANNED):
        page = source.store.search(query, size, cursor)
        live = [
            each for each in page.sessions if _matches(source, wanted, each)
        ]
        if size > most and len(found) + len(live) >= 2 * most:
            # They are too many for this page: read them in small steps.
            size = step = most
            continue
        pages.append(page)
        scanned += size
        found = live + found if is_backward else found + live
        cursor = page.previous if is_backward else page.next
        if cursor is None or len(found) >= most:
            break
        size = min(step, max(most, MAX_ROWS_SCANNED - scanned))
    first, last = pages[0], pages[-1]
    if is_backward:
        first, last = last, first
    return LiveSessionPage(found, last.next, first.previous)


def _matches(
    source: SessionSource, wanted: SessionFilter, session: Session
) -> bool:
    """Return True if a session is live, on a device with the wanted name."""
    if expiry_reason(session, source.limits, source.now) is not None:
        return False
    device = (wanted.device or "").casefold()
    return not device or device in _device_key(session)


def _device_key(session: Session) -> str:
    """Return the name of the device of a session, as filters compare it."""
    return device_name(session.user_agent).casefold()

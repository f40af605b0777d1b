#!/usr/bin/env python3
"""What was typed into a filter, as what the lists are asked for.

Its law: a value that cannot be meant is refused by its field's name; an
empty one asks for nothing.

Everybody's live sessions, by user, network and device.

Its law: a page looks at no more than `LOOKED` sessions, dead ones and
those of other devices included, however many there are.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from vestibule.audit.log import EventType
from vestibule.core.errors import InvalidValue
from vestibule.core.network import UNKNOWN_ADDRESS, network_of
from vestibule.db.events import EventFilter
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User, parse_role
from vestibule.db.tables import as_utc
from vestibule.db.user_search import UserFilter
from vestibule.sessions.device import device_name
from vestibule.sessions.lifetime import Limits, expiry_reason
from vestibule.sessions.session import Session
from vestibule.sessions.store import SessionStore

#: Characters of any value.
MAX_FILTER_LENGTH = 256
#: Rows of a page at most, and where nobody says how many.
MOST, USUAL = 200, 50
_WORDS = {"yes": True, "true": True, "no": False, "false": False}

FormValues = Mapping[str, str]


class SessionFilter(NamedTuple):
    """Which sessions are asked for; `None` is any."""

    user_id: str | None = None
    network: str | None = None
    #: A part of what the device is called.
    device: str | None = None


def parse_user_filter(given: FormValues) -> UserFilter:
    """Return which users are asked for by `q`, `role`, `disabled` and
    `signed_in`; raise `InvalidValue`.
    """
    role = _text(given, "role")
    return UserFilter(
        _text(given, "q"),
        parse_role(role) if role else None,
        _switch(given, "disabled"),
        _switch(given, "signed_in"),
    )


def parse_session_filter(given: FormValues) -> SessionFilter:
    """Return which sessions are asked for by `user`, `network`, `device`.

    Raise `InvalidValue`.
    """
    return SessionFilter(
        _user_id(given), _network(given), _text(given, "device") or None
    )


def parse_event_filter(given: FormValues) -> EventFilter:
    """Return which events are asked for by `user`, `kind`, `network`,
    `since` and `until`; raise `InvalidValue`.
    """
    kind = _text(given, "kind")
    if kind and kind not in list(EventType):
        raise InvalidValue("kind", "is no kind of event", code="invalid")
    return EventFilter(
        _user_id(given),
        kind or None,
        _network(given),
        parse_time(given, "since"),
        parse_time(given, "until"),
    )


def parse_limit(given: FormValues) -> int:
    """Return how many rows a page is to have; raise `InvalidValue`."""
    text = _text(given, "limit") or str(USUAL)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise InvalidValue(
            "limit", f"must be a number from 1 to {MOST}", code="invalid"
        )
    return int(text)


def parse_time(given: FormValues, field: str) -> datetime | None:
    """Return a moment of ISO 8601; without a zone it is in UTC.

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
    """Return a value without the blanks around it; "" if there is none."""
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
            "contains a character that no text has",
            code="invalid_character",
        )
    return text


def _switch(given: FormValues, field: str) -> bool | None:
    """Return yes or no, or that it does not matter."""
    text = _text(given, field)
    if text and text not in _WORDS:
        raise InvalidValue(field, "must be yes or no", code="invalid")
    return _WORDS.get(text)


def _user_id(given: FormValues) -> str | None:
    """Return the id of the user whose id or email was typed.

    Of an unknown one nothing is found.
    """
    text = _text(given, "user")
    found = User.search({"email": text}) if "@" in text else []
    return found[0].id if found else text or None


def _network(given: FormValues) -> str | None:
    """Return the network of an address, or the network that it names."""
    text = _text(given, "network")
    if not text:
        return None
    network = network_of(text.partition("/")[0])
    if network == UNKNOWN_ADDRESS != text:
        raise InvalidValue("network", "is not an address", code="invalid")
    return network


#: Sessions that are looked at for one page at most.
MAX_ROWS_SCANNED = 1_000


class SessionSource(NamedTuple):
    """Where sessions are, and what makes one dead at which moment."""

    store: SessionStore
    limits: Limits
    now: datetime


class LiveSessionPage(NamedTuple):
    """Some live sessions, and the place after which there may be more."""

    sessions: list[Session]
    next: str | None


def live_session_page(
    judge: SessionSource, sought: SessionFilter, most: int, place: str | None
) -> LiveSessionPage:
    """Return about so many of the live sessions that are sought."""
    found: list[Session] = []
    device = (sought.device or "").casefold()
    for _ in range(max(1, MAX_ROWS_SCANNED // most)):
        some, place = judge.store.page(
            sought.user_id, most, place, sought.network
        )
        for each in some:
            if expiry_reason(each, judge.limits, judge.now) is None and (
                device in device_name(each.user_agent).casefold()
            ):
                found.append(each)
        if place is None or len(found) >= most:
            break
    return LiveSessionPage(found, place)

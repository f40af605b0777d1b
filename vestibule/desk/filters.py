#!/usr/bin/env python3
"""What was typed into a filter, as what the lists are asked for.

Its law: a value that cannot be meant is refused by its field's name; an
empty one asks for nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from models.base import is_storable
from models.directory import Sought
from models.events import Wanted
from models.role import role_of
from models.tables import as_utc
from models.user import User
from vestibule.errors import InvalidValue
from vestibule.network import UNKNOWN, network_of
from vestibule.observe.security import Event

#: Characters of any value.
LONGEST = 256
#: Rows of a page at most, and where nobody says how many.
MOST, USUAL = 200, 50
_WORDS = {"yes": True, "true": True, "no": False, "false": False}

Given = Mapping[str, str]


class SessionsSought(NamedTuple):
    """Which sessions are asked for; `None` is any."""

    user_id: str | None = None
    network: str | None = None
    #: A part of what the device is called.
    device: str | None = None


def users_of(given: Given) -> Sought:
    """Return which users are asked for by `q`, `role`, `disabled` and
    `signed_in`; raise `InvalidValue`.
    """
    role = _text(given, "role")
    return Sought(
        _text(given, "q"),
        role_of(role) if role else None,
        _switch(given, "disabled"),
        _switch(given, "signed_in"),
    )


def sessions_of(given: Given) -> SessionsSought:
    """Return which sessions are asked for by `user`, `network`, `device`.

    Raise `InvalidValue`.
    """
    return SessionsSought(
        _user_id(given), _network(given), _text(given, "device") or None
    )


def events_of(given: Given) -> Wanted:
    """Return which events are asked for by `user`, `kind`, `network`,
    `since` and `until`; raise `InvalidValue`.
    """
    kind = _text(given, "kind")
    if kind and kind not in list(Event):
        raise InvalidValue("kind", "is no kind of event")
    return Wanted(
        _user_id(given),
        kind or None,
        _network(given),
        moment_of(given, "since"),
        moment_of(given, "until"),
    )


def limit_of(given: Given) -> int:
    """Return how many rows a page is to have; raise `InvalidValue`."""
    text = _text(given, "limit") or str(USUAL)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise InvalidValue("limit", f"must be a number from 1 to {MOST}")
    return int(text)


def moment_of(given: Given, field: str) -> datetime | None:
    """Return a moment of ISO 8601; without a zone it is in UTC.

    Raise `InvalidValue`.
    """
    text = _text(given, field)
    try:
        return as_utc(datetime.fromisoformat(text)) if text else None
    except (ValueError, OverflowError):
        raise InvalidValue(field, "must be a date and time") from None


def _text(given: Given, field: str) -> str:
    """Return a value without the blanks around it; "" if there is none."""
    text = given.get(field, "").strip()
    if len(text) > LONGEST:
        raise InvalidValue(field, f"must have at most {LONGEST} characters")
    if not is_storable(text):
        raise InvalidValue(field, "contains a character that no text has")
    return text


def _switch(given: Given, field: str) -> bool | None:
    """Return yes or no, or that it does not matter."""
    text = _text(given, field)
    if text and text not in _WORDS:
        raise InvalidValue(field, "must be yes or no")
    return _WORDS.get(text)


def _user_id(given: Given) -> str | None:
    """Return the id of the user whose id or email was typed.

    Of an unknown one nothing is found.
    """
    text = _text(given, "user")
    found = User.search({"email": text}) if "@" in text else []
    return found[0].id if found else text or None


def _network(given: Given) -> str | None:
    """Return the network of an address, or the network that it names."""
    text = _text(given, "network")
    if not text:
        return None
    network = network_of(text.partition("/")[0])
    if network == UNKNOWN != text:
        raise InvalidValue("network", "is not an address")
    return network

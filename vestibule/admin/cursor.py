#!/usr/bin/env python3
"""Where a page of a list ends, as text that the next request brings back.

Its law: a place belongs to one list with one filter, and is refused by
every other. It opens nothing: who asks may see the whole list, so what it
carries is a digest and no signature.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from vestibule.core.digest import digest_of
from vestibule.core.errors import InvalidValue
from vestibule.db.models.base import is_storable

#: Characters of a place that are read at all.
MAX_CURSOR_LENGTH = 4_000
_CHECK = 16


def encode(place: Sequence[str], of: object) -> str:
    """Return a place of the list `of`, which says all that filters it."""
    text = json.dumps(list(place))
    return _check(text, of) + urlsafe_b64encode(text.encode()).decode()


def decode(given: str, of: object) -> tuple[str, ...] | None:
    """Return the place that was `written`; `None` for "", the beginning.

    Raise `InvalidValue` for what is none, or is one of another list.
    """
    if not given:
        return None
    check, rest = given[:_CHECK], given[_CHECK:MAX_CURSOR_LENGTH]
    try:
        text = urlsafe_b64decode(rest.encode("ascii")).decode()
        place = json.loads(text)
    except (ValueError, RecursionError):
        raise _refusal() from None
    if check != _check(text, of) or not isinstance(place, list):
        raise _refusal()
    if not all(map(is_storable, place)):
        raise _refusal()
    return tuple(place)


def _check(text: str, of: object) -> str:
    """Return what only the list `of` makes of a place."""
    return digest_of(f"{of!r} {text}")[:_CHECK]


def _refusal() -> InvalidValue:
    """Return the error for what is no place here."""
    return InvalidValue("after", "is no place of this list", code="invalid")

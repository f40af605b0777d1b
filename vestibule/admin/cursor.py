#!/usr/bin/env python3
"""The cursor of pagination: where the next page of a list starts, as text.

A cursor is valid for one list with one filter only. It needs no signature,
only a digest: a client that may page through a list may see all of it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from vestibule.core.digest import digest_of
from vestibule.core.errors import InvalidValue
from vestibule.db.models.base import is_storable

#: Characters of a cursor that are read.
MAX_CURSOR_LENGTH = 4_000
_DIGEST_LENGTH = 16


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

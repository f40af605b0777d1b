#!/usr/bin/env python3
"""What a session is, wherever it is kept: whose, and since when."""

from datetime import datetime
from typing import Any, NamedTuple


class Record(NamedTuple):
    """A session's user id and, if known, the moment of its creation."""

    user_id: str
    created_at: datetime | None = None


def record_of(entry: Any) -> Record | None:
    """Return the record that a value of the mechanisms' dictionary means.

    The value is a user id, or a dictionary with `user_id` and perhaps
    `created_at`; both may have been put there by hand. A `created_at`
    without a zone is local time, as `datetime.now()` gives it. `None` for
    anything else: what cannot be read opens nothing.
    """
    if isinstance(entry, str):
        return Record(entry)
    if not isinstance(entry, dict):
        return None
    user_id = entry.get("user_id")
    created_at = entry.get("created_at")
    if not isinstance(user_id, str):
        return None
    if not isinstance(created_at, datetime):
        return Record(user_id)
    try:
        return Record(user_id, created_at.astimezone())
    except (OverflowError, ValueError):
        # A moment beyond the calendar, in UTC or in local time.
        return Record(user_id)

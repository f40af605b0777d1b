#!/usr/bin/env python3
"""Why sessions end, in words that programs may compare.

What a session is, wherever it is kept.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol


class EndReason(StrEnum):
    """Why a session ended; the value is what its owner is told."""

    EXPIRED = "expired"
    IDLE_TIMEOUT = "idle_timeout"
    CLOCK_CHANGED = "clock_changed"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    ROTATED = "rotated"
    TOO_MANY_SESSIONS = "too_many_sessions"
    REVOKED = "revoked"
    REVOKED_BY_ADMIN = "revoked_by_admin"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    USER_DISABLED = "user_disabled"
    USER_REMOVED = "user_removed"


class SessionTimes(Protocol):
    """What the rules of lifetime need to know of a session."""

    @property
    def created_at(self) -> datetime | None:
        """Return the moment it began, if that is known."""

    @property
    def last_seen_at(self) -> datetime | None:
        """Return the last use that was noted, if one was."""


class Session(SessionTimes, Protocol):
    """What a session knows of itself; the secret id is no part of it."""

    @property
    def id(self) -> str:
        """Return the public handle, by which its owner names it."""

    @property
    def user_id(self) -> str | None:
        """Return the id of the user whose session it is."""

    @property
    def authenticated_at(self) -> datetime | None:
        """Return when the user last proved who they are."""

    @property
    def ip(self) -> str | None:
        """Return the address from which it was opened."""

    @property
    def user_agent(self) -> str | None:
        """Return the program that opened it, in its own words."""

    @property
    def method(self) -> str | None:
        """Return how it was opened; `None` by a script."""


class Entry(NamedTuple):
    """What an entry of the mechanisms' dictionary says."""

    user_id: str
    created_at: datetime | None = None


def parse_entry(value: Any) -> Entry | None:
    """Return what a value of the mechanisms' dictionary means.

    The value is a user id, or a dictionary with `user_id` and perhaps
    `created_at`; both may have been put there by hand. A `created_at`
    without a zone is local time, as `datetime.now()` gives it. `None` for
    anything else: what cannot be read opens nothing.
    """
    if isinstance(value, str):
        return Entry(value)
    if not isinstance(value, dict):
        return None
    user_id = value.get("user_id")
    created_at = value.get("created_at")
    if not isinstance(user_id, str):
        return None
    if not isinstance(created_at, datetime):
        return Entry(user_id)
    try:
        return Entry(user_id, created_at.astimezone())
    except (OverflowError, ValueError):
        # A moment beyond the calendar, in UTC or in local time.
        return Entry(user_id)

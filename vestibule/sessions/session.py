#!/usr/bin/env python3
"""What a session is, in every store: its data, its id, why it ends."""

import secrets
import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from vestibule.core import settings


class EndReason(StrEnum):
    """Why a session ended; the value is shown to its owner."""

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
    FACTORS_RESET = "factors_reset"
    USER_DISABLED = "user_disabled"
    USER_REMOVED = "user_removed"


class SessionTimes(Protocol):
    """The times of a session that its lifetime depends on."""

    @property
    def created_at(self) -> datetime | None:
        """Return the time it began, if that is known."""

    @property
    def last_seen_at(self) -> datetime | None:
        """Return the time of the last recorded use, if there is one."""


class Session(SessionTimes, Protocol):
    """The data of a session; the secret id is not part of it."""

    @property
    def id(self) -> str:
        """Return the public handle, which is not secret."""

    @property
    def user_id(self) -> str | None:
        """Return the id of the user whose session it is."""

    @property
    def authenticated_at(self) -> datetime | None:
        """Return when the user last confirmed the password."""

    @property
    def ip(self) -> str | None:
        """Return the IP address of the client that began it."""

    @property
    def user_agent(self) -> str | None:
        """Return the `User-Agent` of the client that began it."""

    @property
    def proof_methods(self) -> str | None:
        """Return the methods by which the user logged in, with blanks."""

    @property
    def second_factor_at(self) -> datetime | None:
        """Return when the user last gave a second factor."""

    @property
    def phishing_resistant(self) -> bool:
        """Return True if a factor works for this origin alone."""

    @property
    def user_verified(self) -> bool:
        """Return True if a device verified the user."""

    @property
    def recovered(self) -> bool:
        """Return True if a recovery code replaced the second factor."""

    @property
    def host(self) -> str | None:
        """Return the application's host that it was found for, if any."""

    @property
    def method(self) -> str | None:
        """Return how the user logged in; `None` for a script's session."""


def new_session_id() -> str:
    """Return a new secret session id from the system's random source.

    `SESSION_TOKEN` selects a UUID of 122 random bits, or a token of 256;
    ASVS 7.2.3 asks for 128.
    """
    if settings.SESSION_TOKEN.read() == "secret256":
        return secrets.token_urlsafe(32)
    return str(uuid.uuid4())


class Entry(NamedTuple):
    """A parsed entry of the mechanisms' dictionary."""

    user_id: str
    created_at: datetime | None = None


def parse_entry(value: Any) -> Entry | None:
    """Return the parsed value of the mechanisms' dictionary.

    The value is a user id, or a dictionary with `user_id` and perhaps
    `created_at`; a script may have put either there. A `created_at`
    without a time zone is local time, as `datetime.now()` returns it.
    Return `None` for anything else: it gives no access.
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
        # A time beyond the calendar, in UTC or in local time.
        return Entry(user_id)

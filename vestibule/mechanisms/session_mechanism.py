#!/usr/bin/env python3
"""The protocol of mechanisms with sessions, and its implementations.

`sessions_of` is the only place that checks what kind of object `auth` is.
All other code calls the methods of `SessionMechanism`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from vestibule.accounts.throttle import throttle
from vestibule.audit import writer
from vestibule.core import clock
from vestibule.db import (
    browsers,
    factors,
    mail_tokens,
    outgoing_mails,
    passkeys,
    pending_logins,
)
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.lifetime import Limits
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import EmptyStore, SessionStore


class SessionMechanism(Protocol):
    """A mechanism whose users log in, and stay logged in by a cookie."""

    @property
    def has_login(self) -> bool:
        """Return True if users can log in under this mechanism."""

    @property
    def has_store(self) -> bool:
        """Return True if its sessions are in a store of the service."""

    @property
    def store(self) -> SessionStore:
        """Return the store that has its sessions."""

    def session_cookie(self, request: Any = None) -> str | None:
        """Return the session id that `request` carries, or `None`."""

    def create_session(self, user_id: str | None = None) -> str | None:
        """Begin a session of the user and return its secret id."""

    def user_id_for_session_id(
        self, session_id: str | None = None
    ) -> str | None:
        """Return the id of the user whose live session this is."""

    def destroy_session(self, request: Any = None) -> bool:
        """End the session of `request`; return True if there was one."""

    def why_refused(self, request: Any) -> EndReason | None:
        """Return why the session of `request` ended, if that is known."""

    def limits(self) -> Limits:
        """Return how long sessions may live."""

    def now(self) -> datetime:
        """Return the time from which the age of sessions is computed."""

    def purge_expired(self) -> int:
        """Delete expired sessions; return how many there were."""


class NoSessions:
    """The sessions of a mechanism that has none (a null object)."""

    has_login = False
    has_store = False
    store: SessionStore = EmptyStore()

    def session_cookie(self, request: Any = None) -> str | None:
        """Return `None`: no request carries a session."""
        return None

    def create_session(self, user_id: str | None = None) -> str | None:
        """Return `None`: no session begins."""
        return None

    def user_id_for_session_id(
        self, session_id: str | None = None
    ) -> str | None:
        """Return `None`: no session is known."""
        return None

    def destroy_session(self, request: Any = None) -> bool:
        """Return False: there is no session to end."""
        return False

    def why_refused(self, request: Any) -> EndReason | None:
        """Return `None`: no session has ended."""
        return None

    def limits(self) -> Limits:
        """Return limits that end nothing."""
        return Limits()

    def now(self) -> datetime:
        """Return the current time."""
        return clock.now()

    def purge_expired(self) -> int:
        """Return 0: nothing expires."""
        return 0


class ForeignSessions(NoSessions):
    """The sessions of a mechanism that is not built on `SessionAuth`.

    Such a class of an application needs `create_session` for logins. Each
    other method is used if the class has it.
    """

    def __init__(self, auth: Any) -> None:
        """Take the methods that `auth` has in place of the null ones."""
        self.has_login = hasattr(auth, "create_session")
        for name in (
            "create_session",
            "destroy_session",
            "session_cookie",
            "store",
            "why_refused",
            "purge_expired",
        ):
            if hasattr(auth, name):
                setattr(self, name, getattr(auth, name))


NO_SESSIONS = NoSessions()


def sessions_of(auth: Any) -> SessionMechanism:
    """Return the sessions of the mechanism `auth`, which may be `None`."""
    if isinstance(auth, SessionAuth):
        return auth
    if hasattr(auth, "create_session") or hasattr(auth, "destroy_session"):
        return ForeignSessions(auth)
    return NO_SESSIONS


def sweep_for(auth: Any) -> Callable[[], int]:
    """Return the function that deletes dead sessions and old records."""
    sessions = sessions_of(auth)

    def sweep() -> int:
        """Delete sessions, counters and events; count the sessions."""
        try:
            return sessions.purge_expired()
        finally:
            throttle().purge()
            pending_logins.purge(clock.now())
            factors.purge(clock.now())
            passkeys.purge(clock.now())
            browsers.purge_trusted(clock.now())
            writer.purge()
            outgoing_mails.purge()
            mail_tokens.purge()
            if sessions.has_store:
                writer.record_session_count(sessions.store.count())

    return sweep

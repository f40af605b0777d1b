#!/usr/bin/env python3
"""What can be done with sessions, wherever they are kept.

Its law: a store finds, lists and ends. It asks `lifetime` who is dead and
never gives a secret id away. What it ends leaves its reason behind for a
day, for the one who can show the secret.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from vestibule.sessions.lifetime import Limits
from vestibule.sessions.session import EndReason, Session

#: How long it is remembered why a session ended.
REASON_LIFETIME = timedelta(days=1)


class SessionPage(NamedTuple):
    """Some sessions, newest first."""

    sessions: Sequence[Session]
    #: The place at which the next page begins; `None` after the last one.
    next: str | None


class SessionStore(Protocol):
    """The sessions of one mechanism."""

    #: Whether they are rows of the database, so that a transaction that
    #: changes a user ends them too.
    in_database: bool

    def find(self, session_id: str) -> Session | None:
        """Return the session with this secret id, dead or alive."""

    def listed(self, user_id: str | None = None) -> Sequence[Session]:
        """Return a user's sessions, or all, dead or alive, newest first."""

    def page(
        self,
        user_id: str | None,
        most: int,
        place: str | None = None,
        network: str | None = None,
    ) -> SessionPage:
        """Return so many sessions of a user, or of all, dead or alive.

        They are the newest, or those at the `place` that the page before
        told; a place that is none counts as not given. `network` is where
        they were opened, if that matters.
        """

    def named(self, handle: str) -> Session | None:
        """Return the session with this public handle, dead or alive."""

    def count(self) -> int:
        """Return how many sessions there are, dead or alive."""

    def touch(self, session_id: str, now: datetime) -> None:
        """Note a use; a session that ended meanwhile stays ended."""

    def rotate(self, session_id: str, now: datetime) -> str | None:
        """Give a session a new secret id, authenticated at `now`.

        Return the new id; `None`, and do nothing, if it ended meanwhile.
        """

    def end(self, session_id: str, reason: EndReason) -> bool:
        """End the session with this secret id; tell if it was there."""

    def end_handle(
        self, handle: str, reason: EndReason, user_id: str | None = None
    ) -> bool:
        """End the session with this handle if it is one of the user's."""

    def end_all(
        self,
        reason: EndReason,
        user_id: str | None = None,
        keep: str | None = None,
    ) -> int:
        """End the sessions of a user, or of everybody; count them.

        `keep` is the handle of one that stays.
        """

    def reason(self, session_id: str) -> EndReason | None:
        """Return why the session with this secret id ended, if known."""

    def purge(self, limits: Limits, now: datetime) -> int:
        """Drop the sessions that are dead at `now`; count them."""

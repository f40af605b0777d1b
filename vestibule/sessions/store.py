#!/usr/bin/env python3
"""The interface of session stores, in memory and in the database.

A store finds, lists and ends sessions; `lifetime` decides which of them have
expired. Only `rotate` returns a secret id. The reason why a session ended is
kept for a day, for a client that has the secret id.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from vestibule.db.keyset import Cursor
from vestibule.db.session_search import SessionQuery
from vestibule.sessions.facts import Proof
from vestibule.sessions.lifetime import Limits
from vestibule.sessions.session import EndReason, Session

#: How long the reason why a session ended is kept.
REASON_LIFETIME = timedelta(days=1)


class SessionPage(NamedTuple):
    """A page of sessions, newest first."""

    sessions: Sequence[Session]
    #: The cursor of the next page; `None` after the last one.
    next: str | None


class SortedPage(NamedTuple):
    """A page of sessions in some order, with the cursors of its neighbours."""

    sessions: Sequence[Session]
    next: Cursor | None
    previous: Cursor | None


class SessionStore(Protocol):
    """The sessions of one mechanism."""

    #: Whether they are rows of the database, so that a transaction that
    #: changes a user ends them too.
    in_database: bool

    def find(self, session_id: str) -> Session | None:
        """Return the session with this secret id, expired or not."""

    def page(
        self,
        user_id: str | None,
        limit: int,
        cursor: str | None = None,
        network: str | None = None,
    ) -> SessionPage:
        """Return at most `limit` sessions of a user, or of all users.

        They are the newest, or follow the `cursor` of the previous page; an
        invalid cursor counts as absent. `network` selects those that began
        there. Expired sessions are among them.
        """

    def search(
        self, query: SessionQuery, limit: int, cursor: Cursor | None = None
    ) -> SortedPage:
        """Return at most `limit` sessions, expired ones among them.

        They follow the cursor, or precede it if it leads backward. Raise
        `InvalidValue` for a cursor of another list, or for an order that
        needs a filter which fewer sessions meet.
        """

    def find_by_handle(self, handle: str) -> Session | None:
        """Return the session with this public handle, expired or not."""

    def count(self) -> int:
        """Return the number of sessions, expired or not."""

    def touch(self, session_id: str, now: datetime) -> None:
        """Record a use; a session that ended meanwhile stays ended."""

    def rotate(
        self, session_id: str, now: datetime, proof: Proof | None = None
    ) -> str | None:
        """Give a session a new secret id, authenticated at `now`.

        Its facts get what `proof` adds. One without a proof is of a
        password, which a user needs in order to log in at all.
        Return the new id; `None`, and do nothing, if it ended meanwhile.
        """

    def end(self, session_id: str, reason: EndReason) -> bool:
        """End the session; return True if there was one."""

    def end_by_handle(
        self, handle: str, reason: EndReason, user_id: str | None = None
    ) -> bool:
        """End the session with this handle if it is one of the user's."""

    def end_all(
        self,
        reason: EndReason,
        user_id: str | None = None,
        keep: str | None = None,
    ) -> int:
        """End the sessions of a user, or of all; return how many.

        `keep` is the handle of one that stays.
        """

    def reason(self, session_id: str) -> EndReason | None:
        """Return why the session with this secret id ended, if known."""

    def purge(self, limits: Limits, now: datetime) -> int:
        """Delete the sessions expired at `now`; return how many."""


class EmptyStore:
    """A store without sessions, for mechanisms that have none."""

    in_database = True

    def find(self, session_id: str) -> Session | None:
        """Return `None`."""
        return None

    def page(
        self,
        user_id: str | None,
        limit: int,
        cursor: str | None = None,
        network: str | None = None,
    ) -> SessionPage:
        """Return an empty page, the last one."""
        return SessionPage((), None)

    def search(
        self, query: SessionQuery, limit: int, cursor: Cursor | None = None
    ) -> SortedPage:
        """Return an empty page, the only one."""
        return SortedPage((), None, None)

    def find_by_handle(self, handle: str) -> Session | None:
        """Return `None`."""
        return None

    def count(self) -> int:
        """Return 0."""
        return 0

    def touch(self, session_id: str, now: datetime) -> None:
        """Do nothing: there is no session to use."""

    def rotate(
        self, session_id: str, now: datetime, proof: Proof | None = None
    ) -> str | None:
        """Return `None`: there is no session to rotate."""
        return None

    def end(self, session_id: str, reason: EndReason) -> bool:
        """Return False: there is no session to end."""
        return False

    def end_by_handle(
        self, handle: str, reason: EndReason, user_id: str | None = None
    ) -> bool:
        """Return False: there is no session to end."""
        return False

    def end_all(
        self,
        reason: EndReason,
        user_id: str | None = None,
        keep: str | None = None,
    ) -> int:
        """Return 0: there are no sessions to end."""
        return 0

    def reason(self, session_id: str) -> EndReason | None:
        """Return `None`: no session has ended."""
        return None

    def purge(self, limits: Limits, now: datetime) -> int:
        """Return 0: nothing expires."""
        return 0

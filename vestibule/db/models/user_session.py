#!/usr/bin/env python3
"""Sessions in the database: whose they are, and since when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    false,
    func,
    or_,
    select,
)

from vestibule.core import clock
from vestibule.core.digest import digest_of
from vestibule.core.network import network_of
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.base import Base, storable_text
from vestibule.db.models.user import User
from vestibule.db.statements import insert_into
from vestibule.db.tables import USER_SESSIONS, USERS, parse_moment

Self = TypeVar("Self", bound="UserSession")

_SESSION_COLUMNS = len(USER_SESSIONS.c)
_WITH_USER = (
    select(USER_SESSIONS, USERS)
    .join_from(
        USER_SESSIONS,
        USERS,
        USERS.c.id == USER_SESSIONS.c.user_id,
        isouter=True,
    )
    .where(USER_SESSIONS.c.session_digest == bindparam("digest"))
)


class UserSession(Base):
    """A session of a user, kept by the digest of its secret id.

    A new object has the session id itself in `session_id`, a loaded one
    the digest: nobody can learn an id from the database.
    """

    _table = USER_SESSIONS
    _public = (*Base._public, "user_id", "session_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a session in memory from `user_id` and `session_id`."""
        super().__init__(*args, **kwargs)
        self.user_id: str | None = kwargs.get("user_id")
        self.session_id: str | None = kwargs.get("session_id")
        self.last_seen_at: datetime | None = kwargs.get("last_seen_at")
        self.authenticated_at: datetime | None = kwargs.get("authenticated_at")
        self.ip: str | None = kwargs.get("ip")
        self.user_agent: str | None = kwargs.get("user_agent")
        self.method: str | None = kwargs.get("method")

    @classmethod
    def find(cls: type[Self], session_id: str) -> Self | None:
        """Return the session with this secret id, or `None`.

        One query also brings its user, for a `User.get` that follows
        within the same `OneRead`.
        """
        row = database().fetch_one(
            _WITH_USER, {"digest": digest_of(session_id)}
        )
        if row is None:
            return None
        if row[_SESSION_COLUMNS] is not None:
            user = User._from_row(row[_SESSION_COLUMNS:])
            IdentityMap.put(User, user.id, user)
        session = cls._from_row(row[:_SESSION_COLUMNS])
        IdentityMap.put(UserSession, session_id, session)
        return session

    @classmethod
    def newest(
        cls: type[Self],
        user_id: str | None,
        most: int,
        before: tuple[datetime, str] | None = None,
        network: str | None = None,
    ) -> list[Self]:
        """Return the newest `most` sessions of a user, or of everybody.

        `before` has the beginning and the id of the session after which
        they are to follow; `network` is where they were opened.
        """
        found = database().fetch_all(
            _newest_statement(user_id, most, before, network)
        )
        return [cls._from_row(row) for row in found]

    def insert_within_limit(self, most: int, reason: str) -> None:
        """Insert the session; end the user's oldest beyond `most`.

        Both at once, so that logins at the same moment never leave more;
        0 is any number.
        """
        self.updated_at = clock.now()
        row = self._row()
        with database().transaction() as connection:
            connection.execute(insert_into(USER_SESSIONS).values(row))
            if most and self.user_id is not None:
                session_queries.enforce_session_limit(
                    connection, self.user_id, most, reason
                )
        self._loaded = tuple(row.values())

    def _row(self) -> dict[str, Any]:
        """Return the value of each column; raise `InvalidValue`."""
        return super()._row() | {
            "user_id": storable_text("user_id", self.user_id),
            "session_digest": self._digest(),
            "last_seen_at": self.last_seen_at,
            "authenticated_at": self.authenticated_at,
            "ip": storable_text("ip", self.ip),
            "user_agent": storable_text("user_agent", self.user_agent),
            "method": storable_text("method", self.method),
            "network": None if self.ip is None else network_of(self.ip),
        }

    def _digest(self) -> str | None:
        """Return the digest to store; a loaded one is not digested again."""
        secret = storable_text("session_id", self.session_id)
        if secret is None:
            return None
        if self._loaded is not None and secret == self._loaded[4]:
            return secret
        return digest_of(secret)

    def _fill(self, row: Sequence[Any]) -> None:
        """Take the attributes from the columns of `row`, in their order."""
        (
            self.id,
            created_at,
            updated_at,
            self.user_id,
            self.session_id,
            last_seen_at,
            authenticated_at,
            self.ip,
            self.user_agent,
            self.method,
            _,
        ) = row
        self.created_at = parse_moment(created_at)
        self.updated_at = parse_moment(updated_at)
        self.last_seen_at = last_seen_at and parse_moment(last_seen_at)
        self.authenticated_at = authenticated_at and parse_moment(
            authenticated_at
        )

    @classmethod
    def _equals(cls, name: str, value: Any) -> ColumnElement[bool]:
        """Compare session ids by their digest, the rest as it is."""
        if name == "session_id":
            column = USER_SESSIONS.c.session_digest
            if value is None:
                return column.is_(None)
            if not isinstance(value, str):
                return false()
            return column == digest_of(value)
        return super()._equals(name, value)


def _newest_statement(
    user_id: str | None,
    most: int,
    before: tuple[datetime, str] | None,
    network: str | None,
) -> Select[Any]:
    """Return the statement that finds a page of sessions."""
    began, id = USER_SESSIONS.c.created_at, USER_SESSIONS.c.id
    wanted = []
    if user_id is not None:
        wanted.append(USER_SESSIONS.c.user_id == user_id)
        if network is not None:
            # No bare column: a user has fewer sessions than a network.
            place = func.coalesce(USER_SESSIONS.c.network, "")
            wanted.append(place == network)
    elif network is not None:
        wanted.append(USER_SESSIONS.c.network == network)
    if before is not None:
        # Said twice, so that the index is entered at that moment.
        wanted += [
            began <= before[0],
            or_(began < before[0], id < before[1]),
        ]
    newest = select(USER_SESSIONS).where(*wanted)
    return newest.order_by(began.desc(), id.desc()).limit(most)

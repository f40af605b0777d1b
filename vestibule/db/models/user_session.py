#!/usr/bin/env python3
"""The user_sessions table: sessions under `session_db_auth`."""

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
from vestibule.core.crypto import digest_of
from vestibule.core.request_headers import network_of
from vestibule.db import session_queries, session_touches
from vestibule.db.column_types import parse_moment
from vestibule.db.engine import database
from vestibule.db.host_sessions import is_host_session_id
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.base import Base, storable_text
from vestibule.db.models.user import User
from vestibule.db.statements import insert_into
from vestibule.db.tables import HOST_SESSIONS, USER_SESSIONS, USERS

Self = TypeVar("Self", bound="UserSession")

_SESSION_COLUMNS = len(USER_SESSIONS.c)
_WITH_HOST_COLUMNS = _SESSION_COLUMNS + len(USERS.c)
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
#: The same for a session of an application's host: its parent's row.
_WITH_HOST = (
    select(USER_SESSIONS, USERS, HOST_SESSIONS.c.host)
    .select_from(HOST_SESSIONS)
    .join(USER_SESSIONS, USER_SESSIONS.c.id == HOST_SESSIONS.c.parent_id)
    .join(USERS, USERS.c.id == USER_SESSIONS.c.user_id, isouter=True)
    .where(HOST_SESSIONS.c.session_digest == bindparam("digest"))
)


class UserSession(Base):
    """A session of a user, stored by the digest of its secret id.

    `session_id` is the id itself in a new object and the digest in a loaded
    one: a session id cannot be read from the database.
    """

    _table = USER_SESSIONS
    _public = (*Base._public, "user_id", "session_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Create a session from `user_id` and `session_id`."""
        super().__init__(*args, **kwargs)
        self.user_id: str | None = kwargs.get("user_id")
        self.session_id: str | None = kwargs.get("session_id")
        self.last_seen_at: datetime | None = kwargs.get("last_seen_at")
        self.authenticated_at: datetime | None = kwargs.get("authenticated_at")
        self.ip: str | None = kwargs.get("ip")
        self.user_agent: str | None = kwargs.get("user_agent")
        self.method: str | None = kwargs.get("method")
        #: How the user proved who they are; `vestibule.sessions.facts` has
        #: the meaning of these.
        self.proof_methods: str | None = kwargs.get("proof_methods")
        self.second_factor_at: datetime | None = kwargs.get("second_factor_at")
        self.phishing_resistant: bool = kwargs.get("phishing_resistant", False)
        self.user_verified: bool = kwargs.get("user_verified", False)
        self.recovered: bool = kwargs.get("recovered", False)
        #: The application's host, if it was found by a session of that.
        self.host: str | None = None

    @classmethod
    def find(cls: type[Self], session_id: str) -> Self | None:
        """Return the session with this secret id, or `None`.

        The secret id of an application's host finds its parent session,
        with that `host`. The query also loads its user, for a `User.get`
        that follows within the same `IdentityMap`.
        """
        of_host = is_host_session_id(session_id)
        row = database().fetch_one(
            _WITH_HOST if of_host else _WITH_USER,
            {"digest": digest_of(session_id)},
        )
        if row is None:
            return None
        if row[_SESSION_COLUMNS] is not None:
            user = User._from_row(row[_SESSION_COLUMNS:_WITH_HOST_COLUMNS])
            IdentityMap.put(User, user.id, user)
        session = cls._from_row(row[:_SESSION_COLUMNS])
        if of_host:
            session.host = row[_WITH_HOST_COLUMNS]
        IdentityMap.put(UserSession, session_id, session)
        return session

    @classmethod
    def newest(
        cls: type[Self],
        user_id: str | None,
        limit: int,
        before: tuple[datetime, str] | None = None,
        network: str | None = None,
    ) -> list[Self]:
        """Return the newest `limit` sessions of a user, or of all users.

        `before` is the creation time and the id of the last session on
        the previous page; `network` is the client's at the login.
        """
        found = database().fetch_all(
            _newest_statement(user_id, limit, before, network)
        )
        return [cls._from_row(row) for row in found]

    def insert_within_limit(self, limit: int, reason: str) -> None:
        """Insert the session; end the user's oldest beyond `limit`.

        In one transaction, so that logins at the same moment never exceed
        the limit. 0 means no limit.
        """
        self.updated_at = clock.now()
        row = self._row()
        with database().transaction() as connection:
            connection.execute(insert_into(USER_SESSIONS), row)
            if limit and self.user_id is not None:
                session_queries.enforce_session_limit(
                    connection, self.user_id, limit, reason
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
            "proof_methods": storable_text(
                "proof_methods", self.proof_methods
            ),
            "second_factor_at": self.second_factor_at,
            "phishing_resistant": self.phishing_resistant,
            "user_verified": self.user_verified,
            "recovered": self.recovered,
        }

    def _digest(self) -> str | None:
        """Return the digest to store, unless `session_id` is one already."""
        secret = storable_text("session_id", self.session_id)
        if secret is None:
            return None
        if self._loaded is not None and secret == self._loaded[4]:
            return secret
        return digest_of(secret)

    def _fill(self, row: Sequence[Any]) -> None:
        """Set the attributes from the columns of `row`, in their order."""
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
            self.proof_methods,
            second_factor_at,
            phishing_resistant,
            user_verified,
            recovered,
        ) = row
        self.host = None
        self.created_at = parse_moment(created_at)
        self.updated_at = parse_moment(updated_at)
        self.last_seen_at = session_touches.PENDING_TOUCHES.later_use(
            self.session_id, last_seen_at and parse_moment(last_seen_at)
        )
        self.authenticated_at = authenticated_at and parse_moment(
            authenticated_at
        )
        self.second_factor_at = second_factor_at and parse_moment(
            second_factor_at
        )
        # SQLite's driver gives 0 and 1.
        self.phishing_resistant = bool(phishing_resistant)
        self.user_verified = bool(user_verified)
        self.recovered = bool(recovered)

    @classmethod
    def _equals(cls, name: str, value: Any) -> ColumnElement[bool]:
        """Compare session ids by digest, other attributes by value."""
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
    limit: int,
    before: tuple[datetime, str] | None,
    network: str | None,
) -> Select[Any]:
    """Return the query for a page of sessions."""
    created, id = USER_SESSIONS.c.created_at, USER_SESSIONS.c.id
    conditions = []
    if user_id is not None:
        conditions.append(USER_SESSIONS.c.user_id == user_id)
        if network is not None:
            # Not a bare column, so that SQLite enters the index by the user,
            # who has fewer sessions than a network.
            session_network = func.coalesce(USER_SESSIONS.c.network, "")
            conditions.append(session_network == network)
    elif network is not None:
        conditions.append(USER_SESSIONS.c.network == network)
    if before is not None:
        # The first condition is redundant, but the database enters the
        # index by it.
        conditions += [
            created <= before[0],
            or_(created < before[0], id < before[1]),
        ]
    newest = select(USER_SESSIONS).where(*conditions)
    return newest.order_by(created.desc(), id.desc()).limit(limit)

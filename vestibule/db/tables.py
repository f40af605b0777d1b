#!/usr/bin/env python3
"""The schema as SQLAlchemy tables, and how a moment is kept in a column.

Its law: this describes what the migrations build; a test compares the two.
"""

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

#: The revision that this code works with; a test compares it with the
#: migrations, and the start with the database.
REVISION = "0005"


def parse_moment(value: Any) -> datetime:
    """Return a column's value as a moment in UTC.

    SQLite gives the text that `UTCMoment` wrote, PostgreSQL a `datetime`.
    """
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return as_utc(value)


def as_utc(value: datetime) -> datetime:
    """Return `value` in UTC; one without a zone is taken to be in UTC."""
    if value.tzinfo is timezone.utc:
        return value
    if value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value.astimezone(timezone.utc)


class UTCMoment(TypeDecorator[datetime]):
    """A moment in UTC, aware of its zone, alike on every database.

    SQLite has no type for it and would give naive datetimes back, so there
    it is text of one fixed form, which sorts as time does.
    """

    impl = TIMESTAMP
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type that `dialect` has for it."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(TIMESTAMP(timezone=True))

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> Any:
        """Return what is given to the driver for `value`."""
        if value is None or dialect.name != "sqlite":
            return value
        return as_utc(value).isoformat(" ", "microseconds")

    def process_result_value(
        self, value: Any, dialect: Dialect
    ) -> datetime | None:
        """Return the moment that the driver's `value` stands for."""
        return None if value is None else parse_moment(value)


#: A number of 64 bits; SQLite has a table's rows in the order of it only
#: if the column is called INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

#: Text that sorts by its code points, as Python's does and as a search for
#: a beginning needs it, whatever language a server's database speaks.
SortableText = Text().with_variant(Text(collation="C"), "postgresql")

METADATA = MetaData()

USERS = Table(
    "users",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("updated_at", UTCMoment, nullable=False),
    Column("email", Text),
    Column("email_key", SortableText),
    Column("password", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("role", Text, nullable=False, server_default="member"),
    Column("disabled_at", UTCMoment),
    # The names as they are searched for.
    Column("first_key", SortableText, nullable=False, server_default=""),
    Column("last_key", SortableText, nullable=False, server_default=""),
    # The last login; `vestibule.db.events` writes it, with the event.
    Column("signed_in_at", UTCMoment),
    Index("users_email_key", "email_key", unique=True),
    # What an admin's list is led by, one index for each filter; the last
    # column says where the next page begins.
    Index("users_created_at", "created_at", "id"),
    Index("users_role", "role", "created_at", "id"),
    Index("users_disabled_at", "disabled_at", "id"),
    Index("users_signed_in_at", "signed_in_at", "created_at", "id"),
    Index("users_first_key", "first_key", "last_key", "id"),
    Index("users_last_key", "last_key", "id"),
)

# No foreign key to users: scripts store sessions of users that are not
# here. `User.remove` deletes a user and its sessions in one transaction.
USER_SESSIONS = Table(
    "user_sessions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("updated_at", UTCMoment, nullable=False),
    Column("user_id", Text),
    Column("session_digest", Text),
    Column("last_seen_at", UTCMoment),
    Column("authenticated_at", UTCMoment),
    Column("ip", Text),
    Column("user_agent", Text),
    Column("method", Text),
    # The network that one client is taken to have for itself.
    Column("network", Text),
    Index("user_sessions_session_digest", "session_digest"),
    # A page of a user's sessions, however many there are.
    Index("user_sessions_user_id", "user_id", "created_at"),
    Index("user_sessions_last_seen_at", "last_seen_at"),
    # A session ends a set time after its creation, so this is the index
    # on expiry, and it stays true when SESSION_DURATION is changed.
    Index("user_sessions_created_at", "created_at", "id"),
    Index("user_sessions_network", "network", "created_at", "id"),
)

# What an ended session leaves behind for a day, so that whoever has its
# secret id, and nobody else, can be told why it ended.
ENDED_SESSIONS = Table(
    "ended_sessions",
    METADATA,
    Column("session_digest", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("ended_at", UTCMoment, nullable=False),
    Index("ended_sessions_ended_at", "ended_at"),
)

# Failures to authenticate, by account and by network; `key` is a digest.
FAILURES = Table(
    "failures",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UTCMoment, nullable=False),
    Index("failures_last_at", "last_at"),
)

# One code for each user, with which a new password may be set once.
RESET_CODES = Table(
    "reset_codes",
    METADATA,
    Column("user_id", Text, primary_key=True),
    Column("code_digest", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
)

# The keys that sign identities; `id` names a key in what it signed.
SIGNING_KEYS = Table(
    "signing_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("private_key", Text, nullable=False),
)

# What the security log tells of. `id` is the moment too, as
# `vestibule.db.events` says, so time needs neither a column nor an index.
EVENTS = Table(
    "events",
    METADATA,
    Column("id", RowNumber, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("user_id", Text),
    Column("by_id", Text),
    Column("ip", Text),
    Column("network", Text),
    Column("user_agent", Text),
    Column("handle", Text),
    Column("reason", Text),
    Column("count", Integer),
    Column("times", Integer, nullable=False, server_default="1"),
    Index("events_user_id", "user_id", "id"),
    Index("events_kind", "kind", "id"),
    Index("events_network", "network", "id"),
)

# How much of what happened in an hour, counted from 1970, in UTC.
HOURLY = Table(
    "hourly",
    METADATA,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

# The codes with which the first admin may be made.
SETUP_CODES = Table(
    "setup_codes",
    METADATA,
    Column("code_digest", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
)

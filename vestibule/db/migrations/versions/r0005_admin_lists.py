#!/usr/bin/env python3
"""Add columns and indexes for the admin lists, and hourly counts."""

from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

from vestibule.core.request_headers import network_of
from vestibule.core.text import name_key
from vestibule.db.tables import SortableText, UTCMoment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: Rows that one call to the driver writes.
BATCH = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_USERS = {
    "created_at": ["created_at", "id"],
    "role": ["role", "created_at", "id"],
    "disabled_at": ["disabled_at", "id"],
    "signed_in_at": ["signed_in_at", "created_at", "id"],
    "first_key": ["first_key", "last_key", "id"],
    "last_key": ["last_key", "id"],
}
_SESSIONS = {
    "created_at": ["created_at", "id"],
    "network": ["network", "created_at", "id"],
}


def upgrade() -> None:
    """Add the columns and the table, fill the columns, create indexes."""
    for name in ("first_key", "last_key"):
        op.add_column(
            "users",
            sa.Column(name, SortableText, nullable=False, server_default=""),
        )
    op.add_column("users", sa.Column("signed_in_at", UTCMoment))
    op.add_column("user_sessions", sa.Column("network", sa.Text))
    op.create_table(
        "hourly",
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.alter_column("users", "email_key", type_=SortableText)
    _fill_names(connection)
    _fill_logins(connection)
    _fill_networks(connection)
    op.drop_index("user_sessions_created_at", "user_sessions")
    for table, indexes in (("users", _USERS), ("user_sessions", _SESSIONS)):
        for name, columns in indexes.items():
            op.create_index(f"{table}_{name}", table, columns)


def _fill_names(connection: Any) -> None:
    """Fill the search keys of all users' names."""
    users = sa.table(
        "users",
        *map(
            sa.column,
            (
                "id",
                "first_name",
                "last_name",
                "first_key",
                "last_key",
            ),
        ),
    )
    found = connection.execute(
        sa.select(users.c.id, users.c.first_name, users.c.last_name)
    ).all()
    _execute(
        connection,
        sa.update(users)
        .where(users.c.id == sa.bindparam("user"))
        .values(
            first_key=sa.bindparam("first"), last_key=sa.bindparam("last")
        ),
        [
            {"user": id, "first": name_key(first), "last": name_key(last)}
            for id, first, last in found
            if first or last
        ],
    )


def _fill_logins(connection: Any) -> None:
    """Fill users' last logins from the stored events."""
    events = sa.table("events", *map(sa.column, ("id", "kind", "user_id")))
    users = sa.table(
        "users", sa.column("id"), sa.column("signed_in_at", UTCMoment)
    )
    last = connection.execute(
        sa.select(events.c.user_id, sa.func.max(events.c.id))
        .where(events.c.kind == "login", events.c.user_id.is_not(None))
        .group_by(events.c.user_id)
    ).all()
    _execute(
        connection,
        sa.update(users)
        .where(users.c.id == sa.bindparam("user"))
        .values(signed_in_at=sa.bindparam("at", type_=UTCMoment)),
        [
            {"user": id, "at": _EPOCH + timedelta(microseconds=at // 256)}
            for id, at in last
        ],
    )


def _fill_networks(connection: Any) -> None:
    """Fill the networks of sessions from their addresses."""
    sessions = sa.table("user_sessions", sa.column("ip"), sa.column("network"))
    known = connection.scalars(
        sa.select(sessions.c.ip).where(sessions.c.ip.is_not(None)).distinct()
    ).all()
    _execute(
        connection,
        sa.update(sessions)
        .where(sessions.c.ip == sa.bindparam("address"))
        .values(network=sa.bindparam("net")),
        [{"address": ip, "net": network_of(ip)} for ip in known],
    )


def _execute(connection: Any, statement: Any, rows: list[Any]) -> None:
    """Execute a statement for all rows, in batches of `BATCH`."""
    for first in range(0, len(rows), BATCH):
        connection.execute(statement, rows[first:][:BATCH])

#!/usr/bin/env python3
"""Fill the columns for the admin lists, and create their indexes.

`fill` takes a time in proportion to the rows. It finds the rows of a batch
by their primary key, so no batch reads what the ones before it have filled.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

from vestibule.core.request_headers import network_of
from vestibule.core.text import name_key
from vestibule.db.column_types import UTCMoment
from vestibule.db.migrate import fill_in_batches

if TYPE_CHECKING:
    from vestibule.db.engine import Database

revision = "0005"
down_revision = "0004a"
branch_labels = None
depends_on = None

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_USER_INDEXES = {
    "created_at": ["created_at", "id"],
    "role": ["role", "created_at", "id"],
    "disabled_at": ["disabled_at", "id"],
    "signed_in_at": ["signed_in_at", "created_at", "id"],
    "first_key": ["first_key", "last_key", "id"],
    "last_key": ["last_key", "id"],
}
_SESSION_INDEXES = {
    "created_at": ["created_at", "id"],
    "network": ["network", "created_at", "id"],
}
_C = sa.column
_USERS = sa.table(
    "users",
    *map(_C, ("id", "first_name", "last_name", "first_key", "last_key")),
    _C("signed_in_at", UTCMoment),
)
_SESSIONS = sa.table("user_sessions", *map(_C, ("id", "ip", "network")))
_EVENTS = sa.table("events", *map(_C, ("id", "kind", "user_id")))
_AFTER = sa.bindparam("after", type_=sa.Text)


def fill(database: Database) -> None:
    """Fill the new columns in batches of one transaction each.

    Rows that are filled already are skipped, so this may be interrupted and
    called again, and two processes may do it at the same time.
    """
    _fill_names(database)
    _fill_logins(database)
    _fill_networks(database)


def upgrade() -> None:
    """Create the indexes."""
    op.drop_index("user_sessions_created_at", "user_sessions")
    for table, indexes in (
        ("users", _USER_INDEXES),
        ("user_sessions", _SESSION_INDEXES),
    ):
        for name, columns in indexes.items():
            op.create_index(f"{table}_{name}", table, columns)


def _fill_names(database: Database) -> None:
    """Fill the search keys of the names of users."""
    fill_in_batches(
        database,
        sa.select(_USERS.c.id, _USERS.c.first_name, _USERS.c.last_name)
        .where(
            _USERS.c.id > _AFTER,
            sa.or_(_USERS.c.first_name != "", _USERS.c.last_name != ""),
            _USERS.c.first_key == "",
            _USERS.c.last_key == "",
        )
        .order_by(_USERS.c.id),
        sa.update(_USERS)
        .where(_USERS.c.id == sa.bindparam("row"))
        .values(
            first_key=sa.bindparam("first"), last_key=sa.bindparam("last")
        ),
        lambda id, first, last: {
            "row": id,
            "first": name_key(first),
            "last": name_key(last),
        },
    )


def _fill_logins(database: Database) -> None:
    """Fill the last logins of users from the events."""
    fill_in_batches(
        database,
        sa.select(_EVENTS.c.user_id, sa.func.max(_EVENTS.c.id))
        .where(_EVENTS.c.user_id > _AFTER, _EVENTS.c.kind == "login")
        .group_by(_EVENTS.c.user_id)
        .order_by(_EVENTS.c.user_id),
        sa.update(_USERS)
        .where(
            _USERS.c.id == sa.bindparam("row"), _USERS.c.signed_in_at.is_(None)
        )
        .values(signed_in_at=sa.bindparam("at", type_=UTCMoment)),
        lambda id, at: {
            "row": id,
            "at": _EPOCH + timedelta(microseconds=at // 256),
        },
    )


def _fill_networks(database: Database) -> None:
    """Fill the networks of sessions from their addresses."""
    fill_in_batches(
        database,
        sa.select(_SESSIONS.c.id, _SESSIONS.c.ip)
        .where(
            _SESSIONS.c.id > _AFTER,
            _SESSIONS.c.ip.is_not(None),
            _SESSIONS.c.network.is_(None),
        )
        .order_by(_SESSIONS.c.id),
        sa.update(_SESSIONS)
        .where(_SESSIONS.c.id == sa.bindparam("row"))
        .values(network=sa.bindparam("net")),
        lambda id, ip: {"row": id, "net": network_of(ip)},
    )

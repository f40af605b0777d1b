#!/usr/bin/env python3
"""Recompute the form by which emails are compared.

Two users whose addresses were different until now may have the same one.
The older user keeps it. The other gets a key that no address equals, so
that the user is found by id and by a search, but not by a sign-in, until
the email is changed; `doctor` lists these users.
"""

import logging
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

from vestibule.core.text import email_key
from vestibule.db.column_types import UTCMoment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: Rows that are read at once, or written by one call to the driver.
BATCH = 10_000
#: Keys in one query; a driver may allow 999 parameters.
LOOK_UP_BATCH = 500
_log = logging.getLogger(__name__)
_USERS = sa.table(
    "users",
    *map(sa.column, ("id", "email", "email_key")),
    sa.column("created_at", UTCMoment),
)


class Owner(NamedTuple):
    """A user who may have a key, in the order of age."""

    created_at: datetime
    id: str


def upgrade() -> None:
    """Write the new keys; log the users whose address another one has."""
    connection = op.get_bind()
    changed = _changed_users(connection)
    # First none of them has a key that another one may need.
    _write_keys(
        connection, [(user.id, f"{key} {user.id}") for user, key in changed]
    )
    for first in range(0, len(changed), LOOK_UP_BATCH):
        _give_keys(connection, changed[first:][:LOOK_UP_BATCH])


def _changed_users(connection: Any) -> list[tuple[Owner, str]]:
    """Return the users whose key changes with their new keys, by age."""
    changed, last = [], ""
    page = sa.select(_USERS).order_by(_USERS.c.id).limit(BATCH)
    while rows := connection.execute(page.where(_USERS.c.id > last)).all():
        last = rows[-1].id
        changed += [
            (Owner(row.created_at, row.id), key)
            for row in rows
            if row.email is not None
            and (key := email_key(row.email)) != row.email_key
        ]
    return sorted(changed)


def _give_keys(connection: Any, changed: list[tuple[Owner, str]]) -> None:
    """Give the users their keys, unless an older user has the same."""
    found = connection.execute(
        sa.select(_USERS).where(
            _USERS.c.email_key.in_([key for _, key in changed])
        )
    )
    owners = {row.email_key: Owner(row.created_at, row.id) for row in found}
    lost, won = [], {}
    for user, key in changed:
        owner = owners.get(key)
        keeper, other = (
            (user, owner) if owner is None else sorted((user, owner))
        )
        owners[key] = keeper
        if keeper is user:
            won[key] = user.id
        if other is None:
            continue
        _log.warning(
            "the users %s and %s have the same email, %s: %s cannot sign in"
            " with it; give that user another one",
            *(keeper.id, other.id, ascii(key), other.id),
        )
        lost.append((other.id, f"{key} {other.id}"))
    _write_keys(connection, lost)
    _write_keys(connection, [(id, key) for key, id in won.items()])


def _write_keys(connection: Any, keys: list[tuple[str, str]]) -> None:
    """Store the keys of users by their ids."""
    statement = (
        sa.update(_USERS)
        .where(_USERS.c.id == sa.bindparam("user"))
        .values(email_key=sa.bindparam("key"))
    )
    rows = [{"user": id, "key": key} for id, key in keys]
    for first in range(0, len(rows), BATCH):
        connection.execute(statement, rows[first:][:BATCH])

#!/usr/bin/env python3
"""Recompute the form by which emails are compared.

Two users whose addresses were different until now may have the same one.
The older user keeps it. The other gets a key that no address equals, so
that the user is found by id and by a search, but not by a sign-in, until
the email is changed; `doctor` lists these users.
"""

import logging
from typing import Any

import sqlalchemy as sa
from alembic import op

from vestibule.core.text import email_key
from vestibule.db.tables import UTCMoment

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

#: Rows that are read at once, or written by one call to the driver.
BATCH = 10_000
_log = logging.getLogger(__name__)
_USERS = sa.table(
    "users",
    *map(sa.column, ("id", "email", "email_key")),
    sa.column("created_at", UTCMoment),
)


def upgrade() -> None:
    """Write the new keys; log the users whose address another one has."""
    connection = op.get_bind()
    changed = _changed_keys(connection)
    # First none of them has a key that another one may need.
    _write_keys(connection, [(id, f"{key} {id}") for id, key in changed])
    for id, key in changed:
        _give_key(connection, id, key)


def _changed_keys(connection: Any) -> list[tuple[str, str]]:
    """Return the ids and new keys of the users to change, oldest first."""
    changed, last = [], ""
    page = sa.select(_USERS).order_by(_USERS.c.id).limit(BATCH)
    while rows := connection.execute(page.where(_USERS.c.id > last)).all():
        last = rows[-1].id
        changed += [
            (row.created_at, row.id, key)
            for row in rows
            if row.email is not None
            and (key := email_key(row.email)) != row.email_key
        ]
    return [(id, key) for _, id, key in sorted(changed)]


def _give_key(connection: Any, id: str, key: str) -> None:
    """Give a user the key, unless an older user has it."""
    pair = connection.execute(
        sa.select(_USERS)
        .where(sa.or_(_USERS.c.id == id, _USERS.c.email_key == key))
        .order_by(_USERS.c.created_at, _USERS.c.id)
    ).all()
    if len(pair) > 1:
        keeper, other = pair
        _log.warning(
            "the users %s and %s have the same email, %s: %s cannot sign in"
            " with it; give that user another one",
            *(keeper.id, other.id, ascii(key), other.id),
        )
        if keeper.email_key == key:
            return
        _write_keys(connection, [(other.id, f"{key} {other.id}")])
    _write_keys(connection, [(id, key)])


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

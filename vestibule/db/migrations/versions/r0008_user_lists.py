#!/usr/bin/env python3
"""Fill the text that a search looks through; index the lists by names.

PostgreSQL gets the extension pg_trgm and an index of trigrams, if this role
may create the extension or it is there already. Without it a search scans,
a bounded number of rows for each page.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

from vestibule.core.text import name_key, search_text
from vestibule.db.migrate import fill_in_batches

if TYPE_CHECKING:
    from vestibule.db.engine import Database

revision = "0008"
down_revision = "0007a"
branch_labels = None
depends_on = None

_log = logging.getLogger(__name__)
_C = sa.column
_USERS = sa.table(
    "users",
    *map(_C, ("id", "email", "first_name", "last_name")),
    *map(_C, ("first_key", "last_key", "search_text")),
)


def fill(database: Database) -> None:
    """Fill the text and the keys of names, in batches.

    Rows that have a text already are skipped, so this may be interrupted
    and called again.
    """
    columns = _USERS.c.id, _USERS.c.email, _USERS.c.first_name
    fill_in_batches(
        database,
        sa.select(*columns, _USERS.c.last_name)
        .where(
            _USERS.c.id > sa.bindparam("after", type_=sa.Text),
            _USERS.c.search_text == "",
        )
        .order_by(_USERS.c.id),
        sa.update(_USERS)
        .where(_USERS.c.id == sa.bindparam("row"))
        .values(
            search_text=sa.bindparam("searched"),
            first_key=sa.bindparam("first"),
            last_key=sa.bindparam("last"),
        ),
        lambda id, email, first, last: {
            "row": id,
            "searched": search_text(email, first, last),
            "first": name_key(first),
            "last": name_key(last),
        },
    )


def upgrade() -> None:
    """Replace the indexes of names; index the trigrams of PostgreSQL."""
    op.drop_index("users_first_key", "users")
    op.drop_index("users_last_key", "users")
    op.create_index("users_last_key", "users", ["last_key", "first_key", "id"])
    if op.get_bind().dialect.name == "postgresql":
        _index_trigrams()


def _index_trigrams() -> None:
    """Create the extension and its index, unless that is not allowed."""
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            op.execute(
                "CREATE INDEX users_search_text ON users"
                " USING gin (search_text gin_trgm_ops)"
            )
    except sa.exc.DBAPIError as error:
        _log.warning(
            "a search among many users is slow without the extension"
            " pg_trgm: %s",
            str(error.orig).splitlines()[0],
        )

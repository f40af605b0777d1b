#!/usr/bin/env python3
"""Checks of a database: whether it exists, is intact and has our schema.

The checks change no schema and create no file.
"""

import os
import stat

from sqlalchemy import text

from vestibule.db import migrate
from vestibule.db.engine import Database
from vestibule.db.tables import REVISION

#: The revision of the schema that this version works with.
EXPECTED_REVISION = REVISION


def address(database: Database) -> str:
    """Return the URL of `database` without any secret.

    A password may be in the query of a URL too, so the query is left out.
    """
    url = database.url.set(query={})
    return url.render_as_string(hide_password=True)


def exists(database: Database) -> bool:
    """Return True if the SQLite file exists; always True for PostgreSQL.

    Opening an SQLite file that does not exist would create it.
    """
    return not database.is_sqlite or os.path.exists(
        database.url.database or ""
    )


def revision(database: Database) -> str | None:
    """Return the revision of the schema, or `None` without a schema."""
    return migrate.revision(database) if exists(database) else None


def integrity_errors(database: Database) -> list[str]:
    """Return the errors that SQLite finds in its file; none if it is intact.

    PostgreSQL has no such check for a client.
    """
    if not database.is_sqlite:
        return []
    found = database.fetch_all(text("PRAGMA integrity_check"))
    return [str(row[0]) for row in found if row[0] != "ok"]


def is_readable_by_others(database: Database) -> bool:
    """Return True if users other than its owner may read an SQLite file."""
    path = database.url.database or ""
    return bool(os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH))

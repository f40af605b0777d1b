#!/usr/bin/env python3
"""Whether a database is there, is sound, and has the schema of this code.

Its law: asking changes no schema and creates no file.
"""

import os
import stat

from sqlalchemy import text

from vestibule.db import migrate
from vestibule.db.engine import Database
from vestibule.db.tables import REVISION

#: The revision that this version works with.
EXPECTED_REVISION = REVISION


def address(database: Database) -> str:
    """Return where `database` is, without any secret of its URL.

    A query may carry a password as well as the place that is made for it.
    """
    shown = database.url.set(query={})
    return shown.render_as_string(hide_password=True)


def exists(database: Database) -> bool:
    """Tell whether there is something to connect to, as far as is known.

    Opening an SQLite file that does not exist would create it.
    """
    return not database.is_sqlite or os.path.exists(
        database.url.database or ""
    )


def revision(database: Database) -> str | None:
    """Return the revision of the schema; `None` where there is none."""
    return migrate.revision(database) if exists(database) else None


def integrity_errors(database: Database) -> list[str]:
    """Return what SQLite finds wrong with its file: nothing if it is sound.

    PostgreSQL has no such question for a client to ask.
    """
    if not database.is_sqlite:
        return []
    found = database.fetch_all(text("PRAGMA integrity_check"))
    return [str(row[0]) for row in found if row[0] != "ok"]


def is_readable_by_others(database: Database) -> bool:
    """Tell whether others than its owner may read an SQLite file."""
    path = database.url.database or ""
    return bool(os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH))

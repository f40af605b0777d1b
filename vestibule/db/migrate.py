#!/usr/bin/env python3
"""The schema of a database: its revision, its checks, its migrations.

Only the migrations create or change the schema. An SQLite file is migrated
at its first use; a PostgreSQL database only when its operator runs
`vestibule db upgrade`, because other machines use it too.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, Update, inspect, text

from vestibule.core.command_line import command_line
from vestibule.core.errors import SchemaMismatch
from vestibule.db.tables import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

    from vestibule.db.engine import Database

#: The revision of the schema that this version works with.
EXPECTED_REVISION = REVISION
#: Rows that one transaction of a migration fills.
MAX_FILL_ROWS = 5_000
_log = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent / "migrations"
# Alembic keeps its state in module globals.
_upgrade_lock = threading.Lock()
_ADVISORY_LOCK_ID = 5_417_210_393  # any number that no other program uses


def ensure(database: Database) -> None:
    """Make sure that `database` has the schema of this code.

    Raise `SchemaMismatch` if it has another schema and may not be migrated
    here, and `DatabaseUnavailable` if it cannot be reached.
    """
    found = revision(database)
    if found == EXPECTED_REVISION:
        return
    if not database.is_sqlite or is_newer(found):
        raise SchemaMismatch(mismatch_message(found))
    upgrade(database)


def is_newer(found: str | None) -> bool:
    """Return True if a newer version of this code made the schema `found`.

    Revisions are numbers of four digits, some with a letter behind, so they
    sort as text.
    """
    return found is not None and found > EXPECTED_REVISION


def mismatch_message(found: str | None) -> str:
    """Return why the schema `found` does not fit, and what to do."""
    if is_newer(found):
        return (
            f"the database has the schema of a newer version, {found}, and"
            f" this one works with {EXPECTED_REVISION}: install that version"
            " again, or restore a backup"
        )
    return (
        "the database's schema is not the one of this version; run:"
        f" {command_line('db upgrade')}"
    )


def alembic_config() -> Config:
    """Return the configuration that leads Alembic to the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(database: Database) -> None:
    """Run the missing migrations.

    A new database gets its schema in one transaction. For an older one,
    each migration with a function `fill` ends a transaction: what it fills
    is committed in batches, and an upgrade that was interrupted continues.
    Raise `SchemaMismatch` if a newer version of this code made the schema.
    """
    from alembic.script import ScriptDirectory

    config = alembic_config()
    with _upgrade_lock:
        found = revision(database)
        if found is not None and not is_newer(found):
            scripts = ScriptDirectory.from_config(config)
            for each in reversed(list(scripts.walk_revisions())):
                fill = getattr(each.module, "fill", None)
                if fill and found < each.revision <= EXPECTED_REVISION:
                    _run_migrations(database, config, str(each.down_revision))
                    fill(database)
        _run_migrations(database, config, EXPECTED_REVISION)
    _log.info("the database is at revision %s now", EXPECTED_REVISION)


def _run_migrations(database: Database, config: Config, target: str) -> None:
    """Run the migrations up to a revision in one transaction."""
    from alembic import command
    from alembic.util import CommandError

    with database.transaction() as connection:
        if not database.is_sqlite:
            # Two machines may run the upgrade at the same moment.
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"),
                {"lock": _ADVISORY_LOCK_ID},
            )
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, target)
        except CommandError as error:
            raise SchemaMismatch(
                f"the database cannot be upgraded: {error}. Was it made by a"
                " newer version?"
            ) from None


def fill_in_batches(
    database: Database,
    rows: Select[Any],
    statement: Update,
    values: Callable[..., dict[str, Any]],
) -> None:
    """Execute `statement` with the `values` of each of the `rows`.

    For the function `fill` of a migration. The first column of `rows` is
    text by which they are sorted, and `rows` has the condition that it is
    greater than the parameter `after`. So a batch reads no row again.
    """
    after, batch = "", rows.limit(MAX_FILL_ROWS)
    while found := database.fetch_all(batch, {"after": after}):
        with database.transaction() as connection:
            connection.execute(statement, [values(*row) for row in found])
        after = found[-1][0]


def _stored_revision(connection: Connection) -> str | None:
    """Return the revision that the last migration stored."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    stored: str | None = connection.scalar(
        text("SELECT version_num FROM alembic_version")
    )
    return stored


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
    return database.read(_stored_revision) if exists(database) else None


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

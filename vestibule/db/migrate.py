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
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Select, Update, inspect, text

from vestibule.core import access_settings
from vestibule.core.command_line import command_line
from vestibule.core.errors import SchemaMismatch
from vestibule.db.tables import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

    from vestibule.db.engine import Database

#: The revision of the schema that this version works with.
EXPECTED_REVISION = REVISION
#: The table that has the revision. Its name is not Alembic's default, which
#: other programs use, as did older versions of this one.
VERSION_TABLE = "vestibule_version"
_OLD_VERSION_TABLE = "alembic_version"
#: Rows that one transaction of a migration fills.
MAX_FILL_ROWS = 5_000
_log = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent / "migrations"
# Alembic keeps its state in module globals.
_upgrade_lock = threading.Lock()
_ADVISORY_LOCK_ID = 5_417_210_393  # any number that no other program uses


class Schema(NamedTuple):
    """The schema of a database: its revision, and the table that has it."""

    revision: str | None
    table: str | None

    @property
    def is_current(self) -> bool:
        """Return True if this version can work with it."""
        return self == (EXPECTED_REVISION, VERSION_TABLE)


def ensure(database: Database) -> None:
    """Make sure that `database` has the schema of this code.

    Raise `SchemaMismatch` if it has another schema and may not be migrated
    here, and `DatabaseUnavailable` if it cannot be reached.
    """
    found = schema(database)
    if found.is_current:
        return
    if not database.is_sqlite or is_newer(found.revision):
        raise SchemaMismatch(mismatch_message(found.revision))
    upgrade(database)


def is_newer(found: str | None) -> bool:
    """Return True if a newer version of this code made the schema `found`.

    Revisions sort as text: they are four digits and perhaps a letter.
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
    Raise `SchemaMismatch` if a newer version of this code, or another
    program, made the schema.
    """
    from alembic.script import ScriptDirectory

    config = alembic_config()
    with _upgrade_lock, database.long_statements():
        found = revision(database)
        database.set_journal_mode()
        if found is not None and not is_newer(found):
            scripts = ScriptDirectory.from_config(config)
            for each in reversed(list(scripts.walk_revisions())):
                fill = getattr(each.module, "fill", None)
                if fill and found < each.revision <= EXPECTED_REVISION:
                    _run_migrations(database, config, str(each.down_revision))
                    fill(database)
        _run_migrations(database, config, EXPECTED_REVISION)
    _log.info("the database is at revision %s now", EXPECTED_REVISION)
    if database.is_sqlite and is_open_to_others(database):
        _log.warning(
            "other users of this machine can use the database file; hint:"
            " chmod 600 %s",
            database.url.database,
        )


def _run_migrations(database: Database, config: Config, target: str) -> None:
    """Run the migrations up to a revision in one transaction."""
    from alembic import command
    from alembic.util import CommandError

    with database.transaction() as connection:
        _prepare(connection)
        config.attributes["connection"] = connection
        config.attributes["version_table"] = VERSION_TABLE
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


def _prepare(connection: Connection) -> None:
    """Get the database of a new transaction ready for migrations."""
    if connection.dialect.name == "postgresql":
        # Two machines may run the upgrade at the same moment.
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:lock)"),
            {"lock": _ADVISORY_LOCK_ID},
        )
        schema = access_settings.DATABASE_SCHEMA.read()
        # Only a role that may create schemas may say IF NOT EXISTS.
        if schema and not connection.scalar(
            text("SELECT to_regnamespace(:name) IS NOT NULL"),
            {"name": schema},
        ):
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        # A migration takes as long as the rows of its tables need.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    if _read_schema(connection).table == _OLD_VERSION_TABLE:
        connection.execute(
            text(f"ALTER TABLE {_OLD_VERSION_TABLE} RENAME TO {VERSION_TABLE}")
        )


def _read_schema(connection: Connection) -> Schema:
    """Return the schema; raise `SchemaMismatch` if it is not ours.

    A database that has tables, but none with our revision, belongs to
    another program, even if that program uses the same revision numbers.
    """
    # Read once: another process may make the tables at this moment.
    tables = _tables(connection)
    if not tables:
        return Schema(None, None)
    if VERSION_TABLE in tables:
        table = VERSION_TABLE
    elif _has_our_tables(connection):
        table = _OLD_VERSION_TABLE
    else:
        raise SchemaMismatch(
            f"this database belongs to another program: it has the table"
            f" {min(tables)} and none of ours; name another one, or a new"
            " one, in DATABASE_URL"
        )
    stored = connection.scalar(text(f"SELECT version_num FROM {table}"))
    if stored is None:
        raise SchemaMismatch(
            f"the table {table} has no row, so the schema of the database is"
            " unknown: restore a backup"
        )
    return Schema(stored, table)


def _has_our_tables(connection: Connection) -> bool:
    """Return True if an older version of this code made the schema."""
    found = inspect(connection)
    return found.has_table(_OLD_VERSION_TABLE) and all(
        found.has_table(table)
        and any(each["name"] == column for each in found.get_columns(table))
        for table, column in (
            ("users", "email_key"),
            ("user_sessions", "session_digest"),
        )
    )


def _tables(connection: Connection) -> list[str]:
    """Return the names of the tables, but not those of extensions."""
    if connection.dialect.name == "sqlite":
        return inspect(connection).get_table_names()
    found = connection.scalars(
        text(
            "SELECT relname FROM pg_class"
            " WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
            " AND relnamespace <> 'pg_catalog'::regnamespace"
            " AND relnamespace <> 'information_schema'::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e'"
            " AND classid = 'pg_class'::regclass AND objid = pg_class.oid)"
        )
    )
    return list(found)


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


def schema(database: Database) -> Schema:
    """Return the schema; raise `SchemaMismatch` if it is not ours."""
    if not exists(database):
        return Schema(None, None)
    return database.read(_read_schema)


def revision(database: Database) -> str | None:
    """Return the revision of the schema, or `None` without a schema.

    Raise `SchemaMismatch` if the database belongs to another program.
    """
    return schema(database).revision


def integrity_errors(database: Database) -> list[str]:
    """Return the errors that SQLite finds in its file; none if it is intact.

    PostgreSQL has no such check for a client.
    """
    if not database.is_sqlite:
        return []
    found = database.fetch_all(text("PRAGMA integrity_check"))
    return [str(row[0]) for row in found if row[0] != "ok"]


def is_open_to_others(database: Database) -> bool:
    """Return True if users other than its owner may use an SQLite file."""
    path = database.url.database or ""
    return bool(os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO))

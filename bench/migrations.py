#!/usr/bin/env python3
"""Times each migration on many rows: `python -m bench.migrations ROWS`.

It fills a new database of an early revision with `ROWS` users, sessions and
login events, each session with an address of its own, and upgrades it one
revision after the other. The database is the one that the settings name.
"""

import sys
import time

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from vestibule.db import engine, migrate
from vestibule.db.engine import Database

#: The revision that gets the rows.
FILLED = "0001"
_MOMENT = "'2026-03-29 12:00:00.000000+00:00'"


def fill(connection: Connection, rows: int) -> None:
    """Insert as many users, each with a session."""
    numbers = (
        f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < {rows}) SELECT i FROM n) AS n"
        if connection.dialect.name == "sqlite"
        else f"generate_series(1, {rows}) AS n(i)"
    )
    connection.execute(
        text(
            "INSERT INTO users (id, created_at, updated_at, first_name)"
            f" SELECT 'u' || i, {_MOMENT}, {_MOMENT}, 'Ada' FROM {numbers}"
        )
    )
    connection.execute(
        text(
            "INSERT INTO user_sessions (id, user_id, created_at, updated_at)"
            f" SELECT 's' || i, 'u' || i, {_MOMENT}, {_MOMENT} FROM {numbers}"
        )
    )


def give_addresses(connection: Connection) -> None:
    """Give each session an address, and each user an event of a login."""
    connection.execute(
        text(
            "UPDATE user_sessions SET ip = '2001:db8::' || substr(id, 2, 4)"
            " || ':' || substr(id, 6)"
        )
    )
    connection.execute(
        text(
            "INSERT INTO events (id, kind, user_id) SELECT"
            " row_number() OVER (), 'login', id FROM users"
        )
    )


def upgrade_to(opened: Database, revision: str) -> float:
    """Upgrade to a revision; return the seconds that it took."""
    latest, migrate.EXPECTED_REVISION = migrate.EXPECTED_REVISION, revision
    begun = time.perf_counter()
    try:
        migrate.upgrade(opened)
    finally:
        migrate.EXPECTED_REVISION = latest
    return time.perf_counter() - begun


def main(rows: int) -> None:
    """Fill the database, and print the time of each migration."""
    opened = engine.configured_database()
    upgrade_to(opened, FILLED)
    with opened.transaction() as connection:
        fill(connection, rows)
    scripts = ScriptDirectory.from_config(migrate.alembic_config())
    for each in reversed(list(scripts.walk_revisions())[:-1]):
        revision = str(each.revision)
        if revision == "0004a":
            with opened.transaction() as connection:
                give_addresses(connection)
        seconds = upgrade_to(opened, revision)
        print(f"{rows:,} rows to {revision}: {seconds:.1f} s", flush=True)
    opened.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))

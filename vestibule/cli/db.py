#!/usr/bin/env python3
"""`db`: upgrade, check and back up the database that the settings name.

Its law: these work on a database whose schema is behind, because that is
when they are needed; and only `upgrade` changes or creates anything.
"""

from contextlib import closing
from pathlib import Path

import click

from vestibule.cli.commands import CommandError
from vestibule.cli.json_import import import_json
from vestibule.cli.output import progress_bar
from vestibule.cli.store import existing_database
from vestibule.db import backup as copying
from vestibule.db import engine, health, migrate


@click.group()
def db() -> None:
    """Work with the database itself."""


db.add_command(import_json)


@db.command()
def upgrade() -> None:
    """Bring the schema to what this version works with."""
    with closing(engine.configured_database()) as database:
        before = health.revision(database)
        migrate.upgrade(database)
    if before == health.EXPECTED_REVISION:
        click.echo(f"the schema is at revision {before} already")
    else:
        click.echo(
            f"the schema went from {_spelled(before)}"
            f" to revision {health.EXPECTED_REVISION}"
        )


@db.command()
def check() -> None:
    """Say whether the database is fit for use; exit with 1 if not."""
    with existing_database() as database:
        found = health.revision(database)
        click.echo(f"database: {health.address(database)}")
        click.echo(
            f"schema: {_spelled(found)},"
            f" this version works with revision {health.EXPECTED_REVISION}"
        )
        faults = health.integrity_errors(database)
        if database.is_sqlite:
            click.echo(f"integrity: {'; '.join(faults) or 'ok'}")
    if faults:
        raise CommandError("the database file is damaged: restore a backup")
    if found != health.EXPECTED_REVISION:
        raise CommandError(migrate.mismatch_message(found))


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write a copy of the database to the new FILE.

    The service may go on working meanwhile. From SQLite it is a database
    file, from PostgreSQL the SQL that pg_dump writes and psql restores.
    """
    with existing_database() as database, progress_bar("copying") as shown:
        copying.back_up(database, file, shown.reach)
    click.echo(f"wrote {file}")


def _spelled(revision: str | None) -> str:
    """Return how a revision, or that there is none, reads in a line."""
    return "no schema" if revision is None else f"revision {revision}"

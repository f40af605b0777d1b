#!/usr/bin/env python3
"""The database that a command expects to be there.

Its law: whoever asks about what is stored makes no database by asking. A
wrong DATABASE_URL is said to be one, and is not answered by "nobody".
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from vestibule.cli.commands import CommandError
from vestibule.core.command_line import command_line
from vestibule.db import engine, health
from vestibule.db.engine import Database


@contextmanager
def existing_database() -> Iterator[Database]:
    """Give the database that the settings name, whatever its schema is.

    Raise `Failure` if there is none.
    """
    with closing(engine.configured_database()) as database:
        if not health.exists(database):
            raise CommandError(
                f"there is no file {database.url.database}: set DATABASE_URL"
                " to the one that is meant, or make it:"
                f" {command_line('db upgrade')}"
            )
        yield database


def require_database() -> None:
    """Raise `Failure` if the settings name a database that is not there."""
    with existing_database():
        pass

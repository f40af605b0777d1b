#!/usr/bin/env python3
"""The database that a command expects to be there.

Its law: whoever asks about what is stored makes no database by asking. A
wrong DATABASE_URL is said to be one, and is not answered by "nobody".
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from models import engine, health
from models.engine import Database
from vestibule.cli.failure import Failure
from vestibule.invocation import spelled


@contextmanager
def existing_database() -> Iterator[Database]:
    """Give the database that the settings name, whatever its schema is.

    Raise `Failure` if there is none.
    """
    with closing(engine.configured()) as database:
        if not health.is_there(database):
            raise Failure(
                f"there is no file {database.url.database}: set DATABASE_URL"
                " to the one that is meant, or make it:"
                f" {spelled('db upgrade')}"
            )
        yield database


def require_database() -> None:
    """Raise `Failure` if the settings name a database that is not there.
    """
    with existing_database():
        pass

#!/usr/bin/env python3
"""A copy of a database while others go on using it.

Its law: the copy is of one moment and one file; no password is an argument
of a program, where every user of the machine could read it.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from vestibule.core import settings
from vestibule.core.atomic_file import atomic_file
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db import drivers
from vestibule.db.engine import Database

#: Is told of a copy, from time to time: how much is done, of how much.
ProgressCallback = Callable[[int, int], None]
#: Pages that are copied between two such moments; Ctrl-C works there.
PAGES_PER_STEP = 1_000
#: What SQLite may leave beside a file that it could not finish.
_COMPANION_SUFFIXES = ("-journal", "-wal", "-shm")


def _ignore_progress(done: int, total: int) -> None:
    """Tell nobody."""


def back_up(
    database: Database, target: Path, told: ProgressCallback = _ignore_progress
) -> None:
    """Write a copy of `database` to the new file `target`.

    SQLite's is a database file, of whose pages `told` hears; PostgreSQL's
    is the SQL that `psql` restores. Raise `StoreUnavailable` if it cannot
    be made, or exists already.
    """
    try:
        with atomic_file(target) as name:
            if database.is_sqlite:
                _copy_sqlite(database, name, told)
            else:
                _dump_postgresql(database, name)
    except OSError as error:
        raise DatabaseUnavailable(f"no backup: {error}") from None


def _copy_sqlite(
    database: Database, name: str, told: ProgressCallback
) -> None:
    """Copy the pages to the file `name` by SQLite's own online backup."""

    def copy(connection: Connection) -> None:
        """Copy all as it is now; writers in a write-ahead log do not wait."""
        source: Any = connection.connection.driver_connection
        with closing(drivers.sqlite_driver().connect(name)) as copied:
            # Between two steps others may write: the copy would begin
            # anew, and under steady writing it would never end.
            source.execute("BEGIN")
            try:
                source.execute("SELECT 1 FROM sqlite_schema").fetchone()
                source.backup(
                    copied,
                    pages=PAGES_PER_STEP,
                    progress=lambda _, left, total: told(total - left, total),
                )
            finally:
                source.execute("ROLLBACK")
            # The copied header asks for a write-ahead log, which needs
            # files beside it; a backup should be one file.
            copied.execute("PRAGMA journal_mode = DELETE")

    try:
        database.read(copy)
    finally:
        for ending in _COMPANION_SUFFIXES:
            with suppress(FileNotFoundError):
                os.unlink(name + ending)


def _dump_postgresql(database: Database, name: str) -> None:
    """Let `pg_dump` write its SQL to the file `name`."""
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import Conninfo

    _, given = database.engine.dialect.create_connect_args(database.url)
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    options = {name: given[name] for name in given if name in known}
    if "sslpassword" in options:
        raise DatabaseUnavailable(
            "no backup: pg_dump could be given sslpassword only in sight of"
            " everybody; use a key without one"
        )
    secret = {}
    if "password" in options:
        secret["PGPASSWORD"] = str(options.pop("password"))
    try:
        done = subprocess.run(
            [
                "pg_dump",
                "--no-password",
                "--no-owner",
                "--no-privileges",
                f"--file={name}",
                f"--dbname={make_conninfo(**options)}",
            ],
            env=settings.child_environment(**secret),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise DatabaseUnavailable(
            "no backup: pg_dump is not installed, or not on PATH"
        ) from None
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"exit {done.returncode}"
        raise DatabaseUnavailable(f"no backup: {why}")

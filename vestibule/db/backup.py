#!/usr/bin/env python3
"""Back up a database while other processes use it.

A backup is a snapshot in one file. No password is passed as an argument of
a program, where every user of the machine could read it.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from vestibule.core.atomic_file import atomic_file
from vestibule.core.errors import DatabaseUnavailable
from vestibule.core.setting_types import child_environment
from vestibule.db import drivers
from vestibule.db.engine import Database

#: Called during a copy with the number of pages done, and of all pages.
ProgressCallback = Callable[[int, int], None]
#: Pages that are copied between two calls; Ctrl-C takes effect there.
PAGES_PER_STEP = 1_000
#: Suffixes of the files that SQLite may leave beside an unfinished copy.
_COMPANION_SUFFIXES = ("-journal", "-wal", "-shm")


def _ignore_progress(done: int, total: int) -> None:
    """Do nothing."""


def back_up(
    database: Database,
    target: Path,
    on_progress: ProgressCallback = _ignore_progress,
) -> None:
    """Write a copy of `database` to the new file `target`.

    For SQLite it is a database file, and `on_progress` is called as its
    pages are copied; for PostgreSQL it is SQL that `psql` restores. Raise
    `DatabaseUnavailable` if it fails, or if `target` exists.
    """
    try:
        with atomic_file(target) as name:
            if database.is_sqlite:
                _copy_sqlite(database, name, on_progress)
            else:
                _dump_postgresql(database, name)
    except OSError as error:
        raise DatabaseUnavailable(f"no backup: {error}") from None


def _copy_sqlite(
    database: Database, name: str, on_progress: ProgressCallback
) -> None:
    """Copy the pages to the file `name` by SQLite's online backup."""

    def copy(connection: Connection) -> None:
        """Copy a snapshot; in WAL mode writers do not wait for it."""
        source: Any = connection.connection.driver_connection
        with closing(drivers.sqlite_driver().connect(name)) as copied:
            # A write between two steps would restart the copy, which under
            # steady writing would never end; a read transaction prevents it.
            source.execute("BEGIN")
            try:
                source.execute("SELECT 1 FROM sqlite_schema").fetchone()
                source.backup(
                    copied,
                    pages=PAGES_PER_STEP,
                    progress=lambda _, left, total: on_progress(
                        total - left, total
                    ),
                )
            finally:
                source.execute("ROLLBACK")
            # The copied header selects WAL mode, which needs companion
            # files; a backup should be one file.
            copied.execute("PRAGMA journal_mode = DELETE")

    try:
        database.read(copy)
    finally:
        for suffix in _COMPANION_SUFFIXES:
            with suppress(FileNotFoundError):
                os.unlink(name + suffix)


def _dump_postgresql(database: Database, name: str) -> None:
    """Run `pg_dump`, which writes SQL to the file `name`."""
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import Conninfo

    _, arguments = database.engine.dialect.create_connect_args(database.url)
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    options = {key: arguments[key] for key in arguments if key in known}
    if "sslpassword" in options:
        raise DatabaseUnavailable(
            "no backup: pg_dump takes sslpassword only as an argument, which"
            " every user of the machine can read; use a key without one"
        )
    secret = {}
    if "password" in options:
        secret["PGPASSWORD"] = str(options.pop("password"))
    try:
        result = subprocess.run(
            [
                "pg_dump",
                "--no-password",
                "--no-owner",
                "--no-privileges",
                f"--file={name}",
                f"--dbname={make_conninfo(**options)}",
            ],
            env=child_environment(**secret),
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
    if result.returncode:
        why = " ".join(result.stderr.split()) or f"exit {result.returncode}"
        raise DatabaseUnavailable(f"no backup: {why}")

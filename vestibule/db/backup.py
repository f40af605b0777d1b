#!/usr/bin/env python3
"""Back up a database while other processes use it, and restore a backup.

A backup is a snapshot in one file. No password is passed as an argument of
a program, where every user of the machine could read it. A restore needs
the database for itself: a server would go on in the old file.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection

from vestibule.core import access_settings
from vestibule.core.atomic_file import atomic_file
from vestibule.core.errors import DatabaseUnavailable
from vestibule.core.setting_types import child_environment
from vestibule.db import drivers, migrate
from vestibule.db.engine import Database

#: Called during a copy with the number of pages done, and of all pages.
ProgressCallback = Callable[[int, int], None]
#: Pages that are copied between two calls; Ctrl-C takes effect there.
PAGES_PER_STEP = 1_000
#: Milliseconds to wait for a lock on a file that no process should use.
_LOCK_TIMEOUT = 500


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
        _remove_companions(name)


def restore(database: Database, source: Path) -> str:
    """Replace the SQLite file of `database` by the backup `source`.

    Return the revision of its schema. Raise `DatabaseUnavailable` and
    change nothing if a process uses the file, or if `source` is no sound
    database of this service.
    """
    if not database.is_sqlite:
        raise DatabaseUnavailable(
            "no restore: psql restores a backup of PostgreSQL, into an empty"
            " database"
        )
    target = Path(os.path.realpath(database.url.database or ""))
    if target.exists() and source.samefile(target):
        raise DatabaseUnavailable("no restore: the file is the database")
    try:
        with atomic_file(target, replace=True) as name:
            revision = _copy_backup(source, name)
            _keep_owner(target, name)
            _require_unused(target)
            _remove_companions(str(target))
    except OSError as error:
        raise DatabaseUnavailable(f"no restore: {error}") from None
    return revision


def _copy_backup(source: Path, name: str) -> str:
    """Copy a backup to the file `name`; return its schema's revision."""
    driver = drivers.sqlite_driver()
    try:
        with (
            closing(
                driver.connect(
                    f"{source.resolve().as_uri()}?mode=ro", uri=True
                )
            ) as old,
            closing(driver.connect(name)) as copied,
        ):
            old.backup(copied)
            copied.execute("PRAGMA journal_mode = DELETE")
    except driver.Error as error:
        raise DatabaseUnavailable(f"no restore: {source}: {error}") from None
    url = URL.create("sqlite", database=name)
    with closing(Database(url, _LOCK_TIMEOUT)) as copy:
        revision = migrate.revision(copy)
        faults = migrate.integrity_errors(copy)
    _remove_companions(name)
    if faults:
        raise DatabaseUnavailable(f"no restore: {source} is damaged")
    if revision is None:
        raise DatabaseUnavailable(f"no restore: {source} is no backup")
    if migrate.is_newer(revision):
        raise DatabaseUnavailable(
            f"no restore: {migrate.mismatch_message(revision)}"
        )
    return revision


def _keep_owner(target: Path, name: str) -> None:
    """Give the file `name` the owner of `target`, if root restores it."""
    seen = os.stat(target if target.exists() else target.parent)
    if os.geteuid() == 0:
        os.chown(name, seen.st_uid, seen.st_gid)


def _require_unused(target: Path) -> None:
    """Raise `DatabaseUnavailable` if another process uses the database.

    The last writes are moved from the write-ahead log into the file, so
    that it is complete if the restore is interrupted. A damaged file is
    left as it is.
    """
    for pid in _processes_with(target):
        raise DatabaseUnavailable(
            f"no restore: process {pid} uses {target}: stop the service first"
        )
    if not target.exists():
        return
    driver = drivers.sqlite_driver()
    try:
        with closing(driver.connect(str(target))) as opened:
            opened.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT}")
            # This needs the only connection of all processes, if there is a
            # write-ahead log.
            opened.execute("PRAGMA journal_mode = DELETE")
    except driver.OperationalError as error:
        raise DatabaseUnavailable(
            f"no restore: {target} is in use ({error}): stop the service first"
        ) from None
    except driver.DatabaseError:
        return


def _processes_with(path: Path) -> Iterator[int]:
    """Yield the processes that have the file open, as far as Linux shows."""
    inode, own = drivers.inode_of(str(path)), str(os.getpid())
    for entry in Path("/proc").glob("[0-9]*"):
        if inode is None or entry.name == own:
            continue
        with suppress(OSError):
            for each in os.listdir(entry / "fd"):
                if drivers.inode_of(f"{entry}/fd/{each}") == inode:
                    yield int(entry.name)
                    break


def _remove_companions(name: str) -> None:
    """Delete the files that SQLite keeps beside the database `name`."""
    for suffix in drivers.COMPANION_SUFFIXES:
        with suppress(FileNotFoundError):
            os.unlink(name + suffix)


def _dump_postgresql(database: Database, name: str) -> None:
    """Run `pg_dump`, which writes SQL to the file `name`."""
    from psycopg.conninfo import make_conninfo

    from vestibule.db.postgresql import connection_options

    _, arguments = database.engine.dialect.create_connect_args(database.url)
    known = connection_options()
    options = {key: arguments[key] for key in arguments if key in known}
    if "sslpassword" in options:
        raise DatabaseUnavailable(
            "no backup: pg_dump takes sslpassword only as an argument, which"
            " every user of the machine can read; use a key without one"
        )
    schema = access_settings.DATABASE_SCHEMA.read()
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
                *([f"--schema={schema}"] if schema else []),
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

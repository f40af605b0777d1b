#!/usr/bin/env python3
"""How SQLite is opened: which driver, which journal, how durable.

Its law: what was acknowledged survives a kill and a power loss, so every
commit is synchronous; and no version of SQLite with a known way to
corrupt a write-ahead log ever writes one.
"""

import os
from types import ModuleType
from typing import Any

#: SQLite 3.7.0 to 3.51.2 may corrupt a database in WAL mode when two
#: connections write or checkpoint at the same moment.
FIRST_SOUND_WAL = (3, 51, 3)


def driver() -> ModuleType:
    """Return `pysqlite3`, which carries its own SQLite, or `sqlite3`.

    There are platforms without a wheel of pysqlite3; the standard library
    is linked with whatever SQLite the system has.
    """
    try:
        import pysqlite3.dbapi2 as bundled

        return bundled  # type: ignore[no-any-return]
    except ImportError:
        import sqlite3

        return sqlite3


def journal_mode(version: tuple[int, ...]) -> str:
    """Return the journal that is sound with this `version` of SQLite."""
    return "WAL" if version >= FIRST_SOUND_WAL else "TRUNCATE"


def keep_private(path: str) -> None:
    """Create the file at `path` for its owner alone, if there is none.

    The password hashes are in it; SQLite gives its companion files the
    same mode. A file that cannot be made is left for SQLite to complain.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        pass


def prepare(connection: Any, timeout: int) -> None:
    """Set a fresh driver `connection` up; `timeout` is in milliseconds."""
    mode = journal_mode(driver().sqlite_version_info)
    connection.execute(f"PRAGMA busy_timeout = {timeout:d}")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    # NORMAL may lose an acknowledged logout when the power fails.
    connection.execute("PRAGMA synchronous = FULL")
    # A read error in a mapped page kills the process instead of raising.
    connection.execute("PRAGMA mmap_size = 0")
    # In KiB, of which each thread has as many: what is not kept here the
    # system has in memory, for all of them once.
    connection.execute("PRAGMA cache_size = -512")

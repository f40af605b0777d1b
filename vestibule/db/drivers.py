#!/usr/bin/env python3
"""How SQLite and PostgreSQL are opened, and what their errors become.

A commit that was acknowledged survives a killed process and a power loss,
so every commit of SQLite is synchronous. A version of SQLite that is known
to corrupt write-ahead logs never writes one. The operator may read a
driver's message in the log; a client never does.
"""

import os
from types import ModuleType
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, NullPool, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from vestibule.core import settings
from vestibule.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    InvalidValue,
    ServiceBusy,
    VestibuleError,
)

#: SQLite 3.7.0 to 3.51.2 may corrupt a database in WAL mode when two
#: connections write or checkpoint at the same moment.
FIRST_SAFE_WAL_VERSION = (3, 51, 3)

#: PostgreSQL's SQLSTATEs for "try again": lock not available, deadlock,
#: serialization failure, statement timeout, too many connections.
_RETRYABLE_SQLSTATES = frozenset({"55P03", "40P01", "40001", "57014", "53300"})
#: PostgreSQL's SQLSTATE for a value that is too long for an index: more
#: than a third of a page, about 2700 bytes.
_INDEX_ENTRY_TOO_LONG = "54000"


def sqlite_driver() -> ModuleType:
    """Return `pysqlite3`, which carries its own SQLite, or `sqlite3`.

    Some platforms have no wheel of pysqlite3; the standard library uses
    the SQLite of the system, whatever its version.
    """
    try:
        import pysqlite3.dbapi2 as bundled

        return bundled  # type: ignore[no-any-return]
    except ImportError:
        import sqlite3

        return sqlite3


def journal_mode(version: tuple[int, ...]) -> str:
    """Return the journal mode that is safe with this `version` of SQLite."""
    return "WAL" if version >= FIRST_SAFE_WAL_VERSION else "TRUNCATE"


def create_private_file(path: str) -> None:
    """Create the file at `path` with mode 600, if there is none.

    It will hold the password hashes; SQLite gives its companion files the
    same mode. If the file cannot be created, SQLite reports the error.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        pass


def configure_sqlite(connection: Any, timeout: int) -> None:
    """Configure a new driver `connection`; `timeout` is in milliseconds."""
    mode = journal_mode(sqlite_driver().sqlite_version_info)
    connection.execute(f"PRAGMA busy_timeout = {timeout:d}")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    # NORMAL may lose an acknowledged logout when the power fails.
    connection.execute("PRAGMA synchronous = FULL")
    # A read error in a mapped page kills the process instead of raising.
    connection.execute("PRAGMA mmap_size = 0")
    # 512 KiB for each connection: pages that do not fit are in the page
    # cache of the system, which all connections share.
    connection.execute("PRAGMA cache_size = -512")


def configured_url() -> URL:
    """Return the URL of `DATABASE_URL`.

    Raise `ConfigurationError` if it is none, or of an unknown kind.
    """
    try:
        url = make_url(settings.DATABASE_URL.read())
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URL", "is not a database URL"
        ) from None
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigurationError(
            "DATABASE_URL",
            "must begin with sqlite:/// or postgresql+psycopg://,"
            f" not {url.drivername}://",
        )
    return url


def create_engine(url: URL, timeout: int) -> Engine:
    """Return the engine for `url`; `timeout` is in milliseconds.

    Raise `ConfigurationError` if the driver is not installed.
    """
    try:
        if url.get_backend_name() == "sqlite":
            return _create_sqlite_engine(url, timeout)
        return _create_postgresql_engine(url, timeout)
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            "DATABASE_URL", f"has no driver: {error}"
        ) from None


def _create_sqlite_engine(url: URL, timeout: int) -> Engine:
    """Return an engine for the SQLite file of `url`.

    `timeout` is in milliseconds. Raise `ConfigurationError` for a URL
    without a file or with options.
    """
    path = url.database
    # Options could select an in-memory database, one for each thread.
    if not path or path == ":memory:" or url.host or url.query:
        raise ConfigurationError(
            "DATABASE_URL", "SQLite needs a file: sqlite:///FILE"
        )
    engine = sqlalchemy.create_engine(
        url,
        module=sqlite_driver(),
        paramstyle="named",
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def before_connect(*_: object) -> None:
        """Create the file so that other users cannot read it."""
        create_private_file(path)

    @event.listens_for(engine, "connect")
    def after_connect(connection: Any, _: object) -> None:
        """Configure the driver's new connection."""
        configure_sqlite(connection, timeout)

    return engine


def _create_postgresql_engine(url: URL, timeout: int) -> Engine:
    """Return an engine for `url`; `timeout` is in milliseconds."""
    options = f"-c lock_timeout={timeout:d} -c timezone=UTC"
    return sqlalchemy.create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "autocommit": True,
            "connect_timeout": max(2, timeout // 1000),
            "options": options,
            "prepare_threshold": 1,
        },
    )


def translate_error(error: Exception) -> VestibuleError:
    """Return the project's error for a driver's or SQLAlchemy's `error`."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    why = " ".join(str(cause).split())
    state = getattr(cause, "sqlstate", None)
    if state == _INDEX_ENTRY_TOO_LONG:
        # The value is at fault here, and not the database.
        return InvalidValue(
            "an email or id", "is too long to be stored", code="too_long"
        )
    if (
        state in _RETRYABLE_SQLSTATES
        or "locked" in why
        or "database is busy" in why
    ):
        return ServiceBusy(f"the database is busy: {why}")
    return DatabaseUnavailable(f"the database failed: {why}")

#!/usr/bin/env python3
"""How databases and SQLite files are opened, and what their errors become.

A commit that was acknowledged survives a killed process and a power loss,
so every commit of SQLite is synchronous. A version of SQLite that is known
to corrupt write-ahead logs never writes one. The operator may read a
driver's message in the log; a client never does.
"""

import logging
import os
import pwd
import stat
from types import ModuleType
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Engine, NullPool, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from vestibule.core import access_settings, clock, settings
from vestibule.core.errors import (
    ConfigurationError,
    DatabaseReplaced,
    DatabaseUnavailable,
    InvalidValue,
    ServiceBusy,
    VestibuleError,
)

if TYPE_CHECKING:
    from vestibule.db.postgresql import CircuitBreaker

_log = logging.getLogger(__name__)

#: Reads the change token of SQLite. The schema's version changes when a backup
#: is written into the file, which may have the generation of before.
GENERATION = (
    "SELECT value || ' ' || (SELECT schema_version FROM"
    " pragma_schema_version) FROM cache_generation"
)
#: PostgreSQL's SQLSTATE for a statement that took too long.
QUERY_CANCELED = "57014"
#: KiB of pages that each SQLite connection keeps while it reads. Others are
#: in the page cache of the system, which all connections share.
READ_CACHE_KIB = 512
#: KiB of pages at most during a write transaction. A changed page that does
#: not fit is written several times: deleting 200,000 sessions wrote 2 GB.
WRITE_CACHE_KIB = 65_536
#: SQLite 3.7.0 to 3.51.2 may corrupt a database in WAL mode when two
#: connections write or checkpoint at the same moment.
FIRST_SAFE_WAL_VERSION = (3, 51, 3)

#: PostgreSQL's SQLSTATEs for "try again": lock not available, deadlock,
#: serialization failure, statement timeout, too many connections.
_RETRYABLE_SQLSTATES = frozenset({"55P03", "40P01", "40001", "57014", "53300"})
#: PostgreSQL's SQLSTATE for a value that is too long for an index: more
#: than a third of a page, about 2700 bytes.
_INDEX_ENTRY_TOO_LONG = "54000"
#: The names by which hosts hand out the address of a PostgreSQL database.
_POSTGRESQL_SCHEMES = ("postgresql+psycopg", "postgresql", "postgres")
#: What SQLite says if it may not read or write a file.
_ACCESS_REFUSED = ("unable to open", "readonly database")
#: Suffixes of the files that SQLite keeps beside a database.
COMPANION_SUFFIXES = ("-journal", "-wal", "-shm")
#: Those of the write-ahead log and its index.
_LOG_SUFFIXES = COMPANION_SUFFIXES[1:]
#: Seconds between two looks at the path of an open database file. A look
#: takes as long as a tenth of the response to verify.
FILE_CHECK_SECONDS = 0.01


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
    same mode. If `path` is a link, the file is created where it leads to.
    If the file cannot be created, SQLite reports the error.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
    try:
        os.close(os.open(os.path.realpath(path), flags, 0o600))
    except OSError:
        pass


def configure_sqlite(connection: Any, timeout: int) -> None:
    """Configure a new driver `connection`; `timeout` is in milliseconds."""
    connection.execute(f"PRAGMA busy_timeout = {timeout:d}")
    # The mode WAL belongs to the file: `set_journal_mode` sets it for all
    # processes. Other modes belong to a connection.
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = TRUNCATE")
    # NORMAL may lose an acknowledged logout when the power fails.
    connection.execute("PRAGMA synchronous = FULL")
    # A read error in a mapped page kills the process instead of raising.
    connection.execute("PRAGMA mmap_size = 0")
    set_cache_size(connection)


def set_cache_size(connection: Any, is_writing: bool = False) -> None:
    """Set how much of the file an SQLite `connection` keeps in memory."""
    kibibytes = WRITE_CACHE_KIB if is_writing else READ_CACHE_KIB
    connection.execute(f"PRAGMA cache_size = -{kibibytes:d}")


def set_journal_mode(connection: Any) -> None:
    """Set the journal mode of the file that the driver's `connection` opens.

    Only a start and an upgrade do this: a command with another version of
    SQLite must not change it under a running server. If other processes use
    the file, it keeps its mode, unless that is not safe.
    """
    wanted = journal_mode(sqlite_driver().sqlite_version_info)
    try:
        connection.execute(f"PRAGMA journal_mode = {wanted}")
    except sqlite_driver().OperationalError as error:
        if "locked" not in str(error) or wanted != "WAL":
            raise


def configured_url() -> URL:
    """Return the URL in `DATABASE_URL`.

    Raise `ConfigurationError` if it is not the URL of an SQLite file or of
    a PostgreSQL database.
    """
    text = settings.DATABASE_URL.read().strip()
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URL", "is not a database URL"
        ) from None
    if url.drivername in _POSTGRESQL_SCHEMES:
        return url.set(drivername=_POSTGRESQL_SCHEMES[0])
    if url.drivername != "sqlite":
        raise ConfigurationError(
            "DATABASE_URL",
            "must begin with sqlite:/// or postgresql://,"
            f" not {url.drivername}://",
        )
    # Options could select an in-memory database, one for each thread.
    if not url.database or url.database == ":memory:" or url.host:
        raise ConfigurationError(
            "DATABASE_URL", "SQLite needs a file: sqlite:///FILE"
        )
    if "?" in text:
        raise ConfigurationError(
            "DATABASE_URL", "the name of an SQLite file may have no ?"
        )
    return url


def create_engine(
    url: URL, timeout: int
) -> tuple[Engine, "CircuitBreaker | None"]:
    """Return the engine for `url`, and PostgreSQL's circuit breaker.

    `timeout` is in milliseconds. Raise `ConfigurationError` if the driver
    is not installed.
    """
    try:
        if url.get_backend_name() == "sqlite":
            if access_settings.DATABASE_SCHEMA.read() is not None:
                raise ConfigurationError(
                    "DATABASE_SCHEMA", "needs PostgreSQL in DATABASE_URL"
                )
            return _create_sqlite_engine(url, timeout), None
        # The driver needs libpq, which not every machine has.
        from vestibule.db.postgresql import create_postgresql_engine

        return create_postgresql_engine(url, timeout)
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            "DATABASE_URL", f"has no driver: {error}"
        ) from None


def _create_sqlite_engine(url: URL, timeout: int) -> Engine:
    """Return an engine for the SQLite file of `url`.

    `timeout` is in milliseconds.
    """
    path = url.database or ""
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


class FileWatch:
    """Notices that the path of an open SQLite file has another file.

    The open connections would go on in the old one, where a user who was
    disabled in the new one is still active. The same holds for the
    write-ahead log and its index, which some people delete as leftovers.
    """

    def __init__(self, path: str) -> None:
        """Watch nothing yet."""
        self._path = path
        self._inode: tuple[int, int] | None = None
        self._real_path = path
        #: The companion files that this process has open, by their paths.
        self._companions: dict[str, tuple[int, int]] = {}
        self._checked_at = 0.0
        self._replaced: str | None = None

    def begin(self) -> None:
        """Watch the file that a connection has just opened."""
        if self._inode is None:
            self._inode = inode_of(self._path)
            self._real_path = os.path.realpath(self._path)

    def check(self) -> None:
        """Raise `DatabaseReplaced` while a file is not at its path."""
        now = clock.monotonic()
        if not 0 <= now - self._checked_at < FILE_CHECK_SECONDS:
            self._checked_at = now
            self._look()
        if self._replaced is not None:
            raise DatabaseReplaced(self._replaced)

    def _look(self) -> None:
        """Find out if the files are at their paths; log it once one is not."""
        if self._inode is None:
            return
        replaced = self._find_replaced()
        if replaced is not None and self._replaced is None:
            _log.error("%s", DatabaseReplaced(replaced))
        self._replaced = replaced

    def _find_replaced(self) -> str | None:
        """Return the path that has another file, or `None`."""
        if inode_of(self._path) != self._inode:
            return self._path
        for suffix in _LOG_SUFFIXES:
            path = self._real_path + suffix
            found, known = inode_of(path), self._companions.get(path)
            if found == known:
                continue
            # SQLite deletes them with the last connection of all processes.
            if known is not None and descriptor_of(known) is not None:
                return path
            if found is not None and descriptor_of(found) is not None:
                self._companions[path] = found
            else:
                self._companions.pop(path, None)
        return None


def inode_of(path: str | int) -> tuple[int, int] | None:
    """Return the device and inode of a descriptor or path, if it exists."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def descriptor_of(inode: tuple[int, int]) -> int | None:
    """Return a descriptor by which this process has a file open.

    `None` if there is none, and outside Linux, where it cannot be seen.
    """
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return None
    return next((one for one in numbers if inode_of(one) == inode), None)


def refused_access(path: str) -> str:
    """Return why this process cannot use the SQLite file at `path`.

    Empty if no reason is found. SQLite writes to the folder too, and to
    the companion files that an earlier process may have left.
    """
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    if os.path.isdir(real):
        return f"{real} is a folder"
    for name in (folder, real, *(real + each for each in COMPANION_SUFFIXES)):
        mode = os.R_OK | os.W_OK | (os.X_OK if name == folder else 0)
        if os.path.exists(name) and not os.access(name, mode):
            return _ownership(name)
    return ""


def _ownership(name: str) -> str:
    """Return who owns the file or folder `name`, and how to change that."""
    seen = os.stat(name)
    mine, owner = _user_name(os.geteuid()), _user_name(seen.st_uid)
    if seen.st_uid == os.geteuid():
        cure = f"chmod u+rw{'x' if stat.S_ISDIR(seen.st_mode) else ''} {name}"
    else:
        cure = f"chown {mine} {name}"
    return (
        f"{name} belongs to {owner} with mode {stat.S_IMODE(seen.st_mode):o},"
        f" and this process runs as {mine}; unless its file system is"
        f" read-only, run: {cure}"
    )


def _user_name(number: int) -> str:
    """Return the name of the system's user with this number."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def translate_error(error: Exception, path: str = "") -> VestibuleError:
    """Return the project's error for a driver's or SQLAlchemy's `error`.

    `path` is the SQLite file, if there is one.
    """
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
    if path and any(each in why for each in _ACCESS_REFUSED):
        why = ": ".join(filter(None, (why, refused_access(path))))
    return DatabaseUnavailable(f"the database failed: {why}")

#!/usr/bin/env python3
"""The database: reads, write transactions and the change token.

Importing this module opens nothing. Every error of a driver is translated
to an error of `vestibule.core.errors`, and the failed connection is closed.
A write is one transaction that holds the write lock from its beginning.

Connections come from a pool (`vestibule.db.pool`) and are in the driver's
autocommit mode.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Row, Select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from vestibule.core import clock, settings
from vestibule.core.errors import ServiceBusy, VestibuleError
from vestibule.db import migrate
from vestibule.db.drivers import (
    FileWatch,
    configured_url,
    create_engine,
    set_cache_size,
    set_journal_mode,
    translate_error,
)
from vestibule.db.pool import Pool, PooledConnection
from vestibule.db.wal_index import WalIndex

T = TypeVar("T")

#: Seconds that one statement of a migration may take.
MAX_STATEMENT_SECONDS = 3600.0
#: PostgreSQL's SQLSTATE for a statement that took too long.
_QUERY_CANCELED = "57014"
# A part of the change token. A process may open one database after another,
# and their files may be copies: the number makes their tokens different.
_database_numbers = itertools.count(1)
# A backup that is written into the open file may have the same generation as
# the file, but writing it changes the version of the schema.
_GENERATION = (
    "SELECT value || ' ' || (SELECT schema_version FROM"
    " pragma_schema_version) FROM cache_generation"
)


class Database:
    """The database at one address, shared by the threads of a process."""

    def __init__(self, url: URL, timeout: int) -> None:
        """Prepare for `url`; `timeout` is in milliseconds. Opens nothing."""
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine, self._breaker = create_engine(url, timeout)
        self._timeout = timeout / 1000
        self._driver_errors = (
            SQLAlchemyError,
            self.engine.dialect.loaded_dbapi.Error,
        )
        self._pool = Pool(self._connect)
        self._begin_sql = "BEGIN IMMEDIATE"
        if self._breaker is not None:
            self._breaker.on_open = self._pool.close_idle
            self._begin_sql = self._breaker.begin_statement
        self._file = FileWatch(url.database or "") if self.is_sqlite else None
        #: The moments of the last commit, and of the last failed check of
        #: writes with its error; see `vestibule.db.statements`.
        self.written_at = self.refused_at = float("-inf")
        self.refusal: VestibuleError | None = None
        self._compiled: dict[Executable, str] = {}
        # SQLite has one writer at a time. A thread that waits for this lock
        # wakes at once; the busy handler of SQLite sleeps and polls.
        self._write_lock = threading.Lock()
        self._number = next(_database_numbers)
        # The header of the WAL index, and the token that was read after it.
        self._read_at: tuple[bytes | None, str | None] = (None, None)
        self._index = WalIndex(url.database or "", self._open_dedicated)

    def fetch_one(
        self, statement: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Any] | None:
        """Return the first row as the driver gives it, or `None`.

        The SQL of `statement` is compiled once and stays prepared.
        """
        text = self._compiled.get(statement)
        if text is None:
            text = str(statement.compile(self.engine))
            self._compiled[statement] = text
        return self._retry_if_disconnected(
            PooledConnection.fetch_first, text, parameters
        )

    def change_token(self) -> str | None:
        """Return a token that changes when a user or a session does.

        What was read after this call about users and sessions is current
        as long as the token stays the same, no matter which thread, process
        or shell writes. New users and sessions, a session's last use and a
        user's last login do not change it. `None` if the database has no
        such token (PostgreSQL).

        The token is read from the database if anything was written to it
        since the last call.
        """
        if self._file is None:
            return None
        self._file.check()
        header = self._index.header()
        if header is None:
            return self._retry_if_disconnected(self._token_by_data_version)
        seen = self._read_at
        if seen[0] != header:
            token = self._retry_if_disconnected(self._read_token)
            seen = self._read_at = header, token
        return seen[1]

    def peek_change_token(self) -> str | None:
        """Return the change token if memory has it, without any wait.

        `None` if it would take a query, which may wait for a lock.
        """
        seen, header = self._read_at, self._index.peek()
        return seen[1] if header is not None and seen[0] == header else None

    def _read_token(self, pooled: PooledConnection) -> str | None:
        """Read the token; `None` if its row was deleted."""
        row = pooled.open_driver().execute(_GENERATION).fetchone()
        return None if row is None else f"{self._number} {row[0]}"

    def _token_by_data_version(self, pooled: PooledConnection) -> str | None:
        """Read the token if SQLite's `data_version` changed.

        The pragma reports the writes of other connections only; for the
        writes of this one, `transaction` forgets the version.
        """
        row = pooled.open_driver().execute("PRAGMA data_version").fetchone()
        if pooled.data_version != row[0]:
            pooled.change_token = self._read_token(pooled)
            pooled.data_version = row[0]
        return pooled.change_token

    def fetch_all(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
    ) -> Sequence[Row[Any]]:
        """Return all rows of a query, converted by the columns' types."""
        return self.read(lambda c: c.execute(statement, parameters).all())

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return the result of `work`, which only reads, on one connection."""

        def read_once(pooled: PooledConnection) -> T:
            """Read in autocommit mode: the driver begins no transaction."""
            connection = pooled.open()
            with connection.begin():
                return work(connection)

        return self._retry_if_disconnected(read_once)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection whose work is committed as a whole or not at all.

        Raise `ServiceBusy` if the database stays locked for longer than
        `DATABASE_TIMEOUT`, and `DatabaseUnavailable` for its other
        failures. An `IntegrityError` is left to the caller, who knows
        which rule of the schema was violated.
        """
        with self._hold_write_lock(), self._pool.borrow() as pooled:
            connection = self._retry_if_disconnected(self._begin)
            try:
                yield connection
                connection.commit()
                self.written_at = clock.monotonic()
            except IntegrityError:
                self._roll_back(pooled, connection)
                raise
            except self._driver_errors as error:
                pooled.close()
                raise self._translate(error) from error
            except BaseException:
                self._roll_back(pooled, connection)
                raise
            finally:
                # Also after an error, which may have come after the commit.
                pooled.data_version = None
                if self.is_sqlite and pooled.is_open:
                    with suppress(*self._driver_errors):
                        set_cache_size(pooled.open_driver())

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection: the one that this thread already uses, if any."""
        with self._pool.borrow() as pooled:
            yield pooled.open()

    @contextmanager
    def long_statements(self) -> Iterator[None]:
        """Allow each statement of this thread an hour, within the block."""
        if self._breaker is None:
            yield
        else:
            with self._breaker.allow(MAX_STATEMENT_SECONDS):
                yield

    def set_journal_mode(self) -> None:
        """Set the safe journal mode of an SQLite file; see `drivers`."""
        if self.is_sqlite:
            self._retry_if_disconnected(
                lambda pooled: set_journal_mode(pooled.open_driver())
            )

    def close(self) -> None:
        """Close the connections that no thread is using."""
        self._pool.close_idle()

    def dispose(self) -> None:
        """Close all connections, those still lent when they are returned."""
        self._pool.dispose()
        self._index.close()

    def _open_dedicated(self) -> Connection:
        """Open a connection outside the pool that has read something."""

        def connect(_: PooledConnection) -> Connection:
            """Connect and run a query."""
            connection = self._connect()
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master")
            return connection

        return self._retry_if_disconnected(connect)

    def _connect(self) -> Connection:
        """Open a connection for the pool."""
        connection = self.engine.connect()
        if self._file is not None:
            self._file.begin()
        return connection

    def _begin(self, pooled: PooledConnection) -> Connection:
        """Begin a transaction on the connection of `pooled`; return it.

        `IMMEDIATE`, because an SQLite transaction that reads first and
        writes later fails at once, without waiting for the lock, if
        another connection wrote in between.
        """
        connection = pooled.open()
        if self.is_sqlite:
            set_cache_size(pooled.open_driver(), is_writing=True)
        connection.exec_driver_sql(self._begin_sql)
        return connection

    def _roll_back(
        self, pooled: PooledConnection, connection: Connection
    ) -> None:
        """Roll the transaction back.

        A server rolls back by itself when it loses a connection, so an
        error of the rollback adds nothing to the one that led here.
        """
        try:
            connection.rollback()
        except self._driver_errors:
            pooled.close()

    @contextmanager
    def _hold_write_lock(self) -> Iterator[None]:
        """On SQLite, let one thread of this process write at a time."""
        if not self.is_sqlite:
            yield
        elif self._write_lock.acquire(timeout=self._timeout):
            try:
                yield
            finally:
                self._write_lock.release()
        else:
            raise ServiceBusy("the database is busy with other writes")

    def _retry_if_disconnected(
        self, work: Callable[..., T], *arguments: Any
    ) -> T:
        """Do `work`, and again if the server had dropped the connection.

        Only for work that changes nothing: a read, or a `BEGIN`.
        """
        if self._file is not None:
            self._file.check()
        # Without `with`: a look-up takes 10 us, and that would take 2 more.
        pooled = self._pool.take()
        try:
            try:
                return work(pooled, *arguments)
            except self._driver_errors as error:
                lost = self._is_disconnected(error, pooled)
                pooled.close()
                if not lost:
                    raise self._translate(error) from error
            try:
                return work(pooled, *arguments)
            except self._driver_errors as error:
                pooled.close()
                raise self._translate(error) from error
        finally:
            self._pool.give_back(pooled)

    def _translate(self, error: Exception) -> VestibuleError:
        """Return the project's error for a driver's or SQLAlchemy's."""
        path = self.url.database if self.is_sqlite else None
        return translate_error(error, path or "")

    def _is_disconnected(
        self, error: Exception, pooled: PooledConnection
    ) -> bool:
        """Return True if `error` means that the connection is lost.

        A server that did not answer in time gets no second query: that
        would double the time that the client waits.
        """
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlstate", None) == _QUERY_CANCELED:
            return False
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        dialect = self.engine.dialect
        return isinstance(error, dialect.loaded_dbapi.Error) and (
            dialect.is_disconnect(error, pooled.driver, None)
        )


def configured_database() -> Database:
    """Return the database of `DATABASE_URL`, not yet opened.

    Raise `ConfigurationError` if the URL is invalid.
    """
    return Database(configured_url(), settings.DATABASE_TIMEOUT.read())


_open_lock = threading.Lock()
_open: Database | None = None
_inherited: list[Database | None] = []


def database() -> Database:
    """Return the open database; open it and check its schema at first use."""
    global _open
    if _open is None:
        limit = settings.DATABASE_TIMEOUT.read() / 1000
        if not _open_lock.acquire(timeout=limit):
            raise ServiceBusy("another request opens the database")
        try:
            if _open is None:
                fresh = configured_database()
                migrate.ensure(fresh)
                _open = fresh
        finally:
            _open_lock.release()
    return _open


def is_open(one: Database) -> bool:
    """Return True if this is the database that `database` returns."""
    return _open is one


def peek_change_token() -> str | None:
    """Return the change token if it takes no wait, else `None`."""
    opened = _open
    return None if opened is None else opened.peek_change_token()


def close() -> None:
    """Close the database; its next use reads the settings again."""
    global _open
    if _open is not None:
        _open.dispose()
    _open = None


def _reset_after_fork() -> None:
    """Leave the parent's connections alone in a forked child.

    Neither SQLite nor libpq survives being used or closed on both sides of
    a fork, so the child keeps them open and unused until it ends.
    """
    global _open, _open_lock
    _inherited.append(_open)
    _open = None
    _open_lock = threading.Lock()


os.register_at_fork(after_in_child=_reset_after_fork)

#!/usr/bin/env python3
"""The connections to the database: a small pool that threads borrow from.

Importing this module opens nothing. Every failure of a driver leaves it
as an error of `vestibule.core.errors`, and the failed connection is closed.
A write is one transaction that holds the write lock from its beginning.

A connection stays open between two uses, in the driver's autocommit mode:
opening one for each request costs more than the look-up it is opened for.
It does not stay with a thread. Python before 3.12.4 crashes when a thread
that Python did not start ends while such a connection hangs on it
(docs/decisions/2026-11-28-threads-that-end.md).
"""

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    NullPool,
    Row,
    Select,
    create_engine,
    event,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError, ServiceBusy
from vestibule.db import migrate, sqlite
from vestibule.db.db_errors import translate_error
from vestibule.db.wal_index import WalIndex

T = TypeVar("T")

# One sequence for all databases that a process opens in turn: a number of
# the one before must mean nothing to the next.
_generations = itertools.count(1)


class Kept:
    """A connection of the pool, opened at first use and after a failure.

    `driver` is the driver's own connection below it, and `version` the
    `data_version` of SQLite that was last seen on it.
    """

    __slots__ = ("connection", "driver", "version")

    def __init__(self) -> None:
        """Begin with nothing open."""
        self.connection: Connection | None = None
        self.driver: Any = None
        self.version: int | None = None

    def close(self) -> None:
        """Close the connection; work not committed is undone."""
        connection, self.connection = self.connection, None
        self.driver = self.version = None
        if connection is not None:
            connection.invalidate()
            connection.close()


class Database:
    """The database at one address, shared by the threads of a process.

    It has at most as many connections open as threads have used it at the
    same moment: `BLOCKING_THREADS` of a server, and its background threads.
    """

    def __init__(self, url: URL, timeout: int) -> None:
        """Prepare for `url`; `timeout` is in milliseconds. Opens nothing."""
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = (
            _sqlite(url, timeout)
            if self.is_sqlite
            else _postgres(url, timeout)
        )
        self._timeout = timeout / 1000
        self._failures = (
            SQLAlchemyError,
            self.engine.dialect.loaded_dbapi.Error,
        )
        # Appending to a deque, and popping from it, is atomic. The last one
        # given back is the next one lent, so few are in use.
        self._idle: deque[Kept] = deque()
        # What this thread has borrowed, for as long as it needs it.
        self._used = threading.local()
        self._is_forgotten = False
        self._texts: dict[Executable, str] = {}
        # SQLite has one writer at a time. Waiting for this lock is woken
        # at once; its own busy handler sleeps and polls.
        self._writing = threading.Lock()
        self._generation = 0
        self._index = WalIndex(url.database or "", self._opened)

    def fetch_one(
        self, statement: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Any] | None:
        """Return the first row as the driver gives it, or `None`.

        The way of look-ups that every request makes: the text of the
        `statement` is compiled once, and the driver keeps it prepared.
        """
        text = self._texts.get(statement)
        if text is None:
            text = str(statement.compile(self.engine))
            self._texts[statement] = text

        def look_up(kept: Kept) -> Any:
            """Ask the driver directly."""
            return self._driver(kept).execute(text, parameters).fetchone()

        row: Sequence[Any] | None = self._again_if_lost(look_up)
        return row

    def generation(self) -> Hashable | None:
        """Return a value that is another one after every commit.

        What was read after it was asked for is still stored as it was, for
        as long as the value stays the same, whoever wrote: a thread, a
        process, a shell. `None` where the database does not tell.
        """
        if not self.is_sqlite:
            return None
        header = self._index.header()
        return self._counted() if header is None else header

    def glance(self) -> Hashable | None:
        """Return the `generation` where no file has to be asked for it.

        So nobody waits for a lock. `None` in all other places.
        """
        return self._index.glance()

    def _counted(self) -> int:
        """Return a number that grows when SQLite's `data_version` does.

        It tells of what others than this connection wrote; of what this
        one writes, `transaction` tells.
        """
        if self._again_if_lost(self._has_changed):
            self._generation = next(_generations)
        return self._generation

    def _has_changed(self, kept: Kept) -> bool:
        """Return True if another connection wrote since the last look."""
        row = self._driver(kept).execute("PRAGMA data_version").fetchone()
        before, kept.version = kept.version, int(row[0])
        return before != kept.version

    def rows(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
    ) -> Sequence[Row[Any]]:
        """Return all rows of a read, as the columns' types have them."""
        return self.read(lambda c: c.execute(statement, parameters).all())

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` finds, reading only, on one connection."""

        def reading(kept: Kept) -> T:
            """Read in autocommit: the driver is told of no transaction."""
            connection = self._connection(kept)
            with connection.begin():
                return work(connection)

        return self._again_if_lost(reading)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection whose work is all done, or all undone.

        Raise `Busy` when the database stays locked for too long, and
        `StoreUnavailable` for its other failures. `IntegrityError` passes
        within, for those who can tell what it means.
        """
        with self._turn_to_write(), self._borrowed() as kept:
            connection = self._again_if_lost(self._begun)
            try:
                yield connection
                connection.commit()
            except IntegrityError:
                self._undo(kept, connection)
                raise
            except self._failures as error:
                kept.close()
                raise translate_error(error) from error
            except BaseException:
                self._undo(kept, connection)
                raise
            finally:
                # Also after a failure: it may have come after the commit.
                self._generation = next(_generations)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection: the one that this thread already uses, if any."""
        with self._borrowed() as kept:
            yield self._connection(kept)

    def close(self) -> None:
        """Close the connections that no thread uses now."""
        while kept := self._unused():
            kept.close()

    def forget(self) -> None:
        """Close all that the process has open, and what is given back."""
        self._is_forgotten = True
        self.close()
        self._index.close()

    @contextmanager
    def _borrowed(self) -> Iterator[Kept]:
        """Lend a connection of the pool; within the block, the same one.

        The thread that borrowed it has nothing of it afterwards.
        """
        kept: Kept | None = getattr(self._used, "kept", None)
        if kept is not None:
            yield kept
            return
        kept = self._unused() or Kept()
        self._used.kept = kept
        try:
            yield kept
        finally:
            self._used.kept = None
            if self._is_forgotten:
                kept.close()
            elif kept.connection is not None:
                self._idle.append(kept)

    def _unused(self) -> Kept | None:
        """Take a connection out of the pool, if one is there."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _opened(self) -> Connection:
        """Return a connection of its own that has read something."""

        def opened(_: Kept) -> Connection:
            """Open it, and read."""
            connection = self.engine.connect()
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master")
            return connection

        return self._again_if_lost(opened)

    def _connection(self, kept: Kept) -> Connection:
        """Return the connection of `kept`; open it if it is not."""
        if kept.connection is None:
            kept.connection = self.engine.connect()
            self._index.check()
        return kept.connection

    def _driver(self, kept: Kept) -> Any:
        """Return the driver's own connection of `kept`."""
        if kept.driver is None:
            opened = self._connection(kept)
            kept.driver = opened.connection.driver_connection
        return kept.driver

    def _begun(self, kept: Kept) -> Connection:
        """Return the connection of `kept` with a transaction begun.

        `IMMEDIATE`, because a transaction of SQLite that reads first and
        writes later fails, without waiting, when another wrote between.
        """
        connection = self._connection(kept)
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        )
        return connection

    def _undo(self, kept: Kept, connection: Connection) -> None:
        """Undo what is not committed.

        A server undoes by itself what was done on a connection that it
        lost: that is no failure beside the one that led here.
        """
        try:
            connection.rollback()
        except self._failures:
            kept.close()

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """Let one thread of this process write at a time, on SQLite."""
        if not self.is_sqlite:
            yield
        elif self._writing.acquire(timeout=self._timeout):
            try:
                yield
            finally:
                self._writing.release()
        else:
            raise ServiceBusy("the database is busy with other writes")

    def _again_if_lost(self, work: Callable[[Kept], T]) -> T:
        """Do `work`; once more if a server had dropped the connection.

        Only for what changes nothing: a read, or the begin of a write.
        """
        with self._borrowed() as kept:
            try:
                return work(kept)
            except self._failures as error:
                lost = self._is_lost(error, kept)
                kept.close()
                if not lost:
                    raise translate_error(error) from error
            try:
                return work(kept)
            except self._failures as error:
                kept.close()
                raise translate_error(error) from error

    def _is_lost(self, error: Exception, kept: Kept) -> bool:
        """Return True if `error` means that the connection is gone."""
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        dialect = self.engine.dialect
        return isinstance(error, dialect.loaded_dbapi.Error) and (
            dialect.is_disconnect(error, kept.driver, None)
        )


def _sqlite(url: URL, timeout: int) -> Engine:
    """Return an engine for the SQLite file of `url`."""
    path = url.database
    # Options could make a database in memory of it, one for each thread.
    if not path or path == ":memory:" or url.host or url.query:
        raise ConfigurationError(
            "DATABASE_URL", "SQLite needs a file: sqlite:///FILE"
        )
    engine = create_engine(
        url,
        module=sqlite.driver(),
        paramstyle="named",
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def keep_private(*_: object) -> None:
        """Create the file so that others cannot read it."""
        sqlite.keep_private(path)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        """Set the driver's fresh connection up."""
        sqlite.prepare(connection, timeout)

    return engine


def _postgres(url: URL, timeout: int) -> Engine:
    """Return an engine for the PostgreSQL database of `url`."""
    options = f"-c lock_timeout={timeout:d} -c timezone=UTC"
    return create_engine(
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


def configured_database() -> Database:
    """Return the database that the settings name, not yet opened.

    Raise `BadSetting` for an address that is none of the known kinds.
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
    try:
        return Database(url, settings.DATABASE_TIMEOUT.read())
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            "DATABASE_URL", f"has no driver: {error}"
        ) from None


_opening = threading.Lock()
_open: Database | None = None
_inherited: list[Database | None] = []


def database() -> Database:
    """Return the open database; open it and check its schema at first use."""
    global _open
    if _open is None:
        with _opening:
            if _open is None:
                fresh = configured_database()
                migrate.ensure(fresh)
                _open = fresh
    return _open


def generation_without_waiting() -> Hashable | None:
    """Return the generation if it is at hand, `None` if one has to wait."""
    opened = _open
    return None if opened is None else opened.glance()


def close() -> None:
    """Close the database; the settings are read anew at its next use."""
    global _open
    if _open is not None:
        _open.forget()
    _open = None


def _forget_after_fork() -> None:
    """Leave the parent's connections alone in a forked child.

    Neither SQLite nor libpq survives being used, or closed, on both sides
    of a fork; so they are kept unused until the child ends.
    """
    global _open, _opening
    _inherited.append(_open)
    _open = None
    _opening = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)

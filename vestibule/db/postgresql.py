#!/usr/bin/env python3
"""PostgreSQL: how it is opened, and how long a query may wait for it.

PostgreSQL ends waits for locks and long statements itself. A server that is
frozen, or a network that drops packets, ends nothing, so each wait of the
client has a deadline too. Once the server misses a deadline, a circuit
breaker refuses queries at once, and lets one new connection at a time find
out whether the server answers again.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import psycopg
import sqlalchemy
from psycopg.pq import Conninfo, TransactionStatus
from sqlalchemy import Engine, NullPool, event
from sqlalchemy.engine import URL

from vestibule.core import access_settings, clock, settings
from vestibule.core.errors import ConfigurationError, SchemaMismatch

T = TypeVar("T")

#: Seconds for which a client waits after `DATABASE_TIMEOUT`, so that a
#: server that is alive reports the cause itself.
GRACE_SECONDS = 0.5
#: Seconds between two connections that probe a server that was frozen.
PROBE_INTERVAL_SECONDS = 0.25
#: Least number of seconds that such a connection may take. A server whose
#: last connection took longer gets four times that.
MIN_PROBE_SECONDS = 0.75
#: Seconds for which a query may wait while the circuit breaker is open.
ABORT_AFTER_SECONDS = 1.0
#: Arguments of the driver that are set here, whatever the URL says.
_OWN_ARGUMENTS = {"autocommit", "prepare_threshold"}


class ServerUnresponsive(psycopg.OperationalError):
    """The server did not answer in time."""

    # PostgreSQL's own code for a statement that took too long.
    sqlstate = "57014"


class CircuitBreaker:
    """Ends waits for a server that does not answer; one per database."""

    def __init__(self, timeout: int) -> None:
        """Allow `timeout` milliseconds for each query and connection."""
        self._timeout = timeout / 1000 + GRACE_SECONDS
        #: The SQL that begins a transaction.
        self.begin_statement = _begin_statement(timeout)
        self._probe_lock = threading.Lock()
        self._local = threading.local()
        self._last_answer = 0.0
        self._last_probe = 0.0
        self._connect_seconds = 0.0
        self._is_open = False
        #: Called when the server is found frozen: connections that are open
        #: may be dead, and are not used again.
        self.on_open: Callable[[], None] = lambda: None

    @contextmanager
    def allow(self, seconds: float) -> Iterator[None]:
        """Let each query of this thread take `seconds` within the block."""
        self._local.seconds = seconds
        try:
            yield
        finally:
            del self._local.seconds

    def bound(
        self, steps: Generator[Any, Any, T], close: Callable[[], None]
    ) -> Generator[Any, Any, T]:
        """Yield what `steps` of a driver yield, until the deadline.

        The driver sends 0 at least every 0.1 seconds while it waits. Call
        `close` and raise `ServerUnresponsive` after the deadline: the
        connection is in the middle of a query.
        """
        began = clock.monotonic()
        deadline = self._deadline(began)
        ready = None
        try:
            while True:
                ready = yield steps.send(ready)
                if not ready and self._is_over(began, deadline):
                    close()
                    raise self._unresponsive()
        except StopIteration as end:
            self._last_answer = clock.monotonic()
            result: T = end.value
            return result

    def connect(
        self, connect: Callable[[], "BoundedConnection"]
    ) -> "BoundedConnection":
        """Return a new connection, which probes a server that was frozen."""
        if self._is_open:
            return self._probe(connect)
        with self._until(clock.monotonic() + self._timeout):
            return self._timed(connect)

    def check(self) -> None:
        """Raise `ServerUnresponsive` if the server is known to be frozen."""
        if self._is_open and not self._is_probing():
            raise self._unresponsive()

    def _probe(
        self, connect: Callable[[], "BoundedConnection"]
    ) -> "BoundedConnection":
        """Connect with a short deadline, unless another thread does."""
        next_probe = self._last_probe + PROBE_INTERVAL_SECONDS
        if clock.monotonic() < next_probe or not self._probe_lock.acquire(
            blocking=False
        ):
            raise self._unresponsive()
        try:
            self._local.is_probing = True
            patience = min(
                max(MIN_PROBE_SECONDS, 4 * self._connect_seconds),
                self._timeout,
            )
            with self._until(clock.monotonic() + patience):
                connection = self._timed(connect)
                # A pooler may answer for a server that is still frozen.
                connection.execute("SELECT 1")
            self._is_open = False
            return connection
        finally:
            self._local.is_probing = False
            self._last_probe = clock.monotonic()
            self._probe_lock.release()

    def _timed(
        self, connect: Callable[[], "BoundedConnection"]
    ) -> "BoundedConnection":
        """Connect, and remember how long it took."""
        began = clock.monotonic()
        connection = connect()
        self._connect_seconds = clock.monotonic() - began
        return connection

    @contextmanager
    def _until(self, moment: float) -> Iterator[None]:
        """End all waits of this thread at `moment`, within the block.

        A connection waits several times, and for each address of a name.
        """
        self._local.until = moment
        try:
            yield
        finally:
            del self._local.until

    def _deadline(self, began: float) -> float:
        """Return when a wait of this thread has to end that `began` then."""
        local = self._local.__dict__
        if "until" in local:
            return float(local["until"])
        return began + float(local.get("seconds", self._timeout))

    def _is_probing(self) -> bool:
        """Return True if this thread probes the server."""
        return bool(getattr(self._local, "is_probing", False))

    def _is_over(self, began: float, deadline: float) -> bool:
        """Return True if a wait has to end that `began` then."""
        now = clock.monotonic()
        if self._is_open and not self._is_probing():
            return now > began + ABORT_AFTER_SECONDS
        if now <= deadline:
            return False
        # A server that answered other queries meanwhile is just slow.
        if self._last_answer < began and not self._is_open:
            self._is_open = True
            self.on_open()
        return True

    def _unresponsive(self) -> ServerUnresponsive:
        """Return the error for a query that is not answered."""
        return ServerUnresponsive("the server does not answer")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose waits end at the deadline of a circuit breaker."""

    breaker: CircuitBreaker

    def wait(self, gen: Any, *more: Any, **named: Any) -> Any:
        """Wait for the driver's steps `gen`, until the deadline."""
        self.breaker.check()
        bounded = self.breaker.bound(gen, self.close)
        return super().wait(bounded, *more, **named)

    @classmethod
    def _connect_gen(cls, *arguments: Any, **named: Any) -> Any:
        """Connect to one address, until the deadline.

        The driver's own `connect_timeout` counts for each address that a
        name has, and it is two seconds at least.
        """
        steps = super()._connect_gen(*arguments, **named)
        return cls.breaker.bound(steps, steps.close)


class SchemaCursor(psycopg.Cursor[Any]):
    """A cursor that reads in the schema of the service behind a pooler.

    A statement outside a transaction may get a connection with any
    `search_path` there. So it gets a transaction of its own.
    """

    #: The SQL that begins such a transaction.
    begin: bytes

    def execute(self, query: Any, *given: Any, **named: Any) -> Self:
        """Execute `query`, which begins a transaction if none is open."""
        status = self.connection.info.transaction_status
        begins = str(query).startswith("BEGIN")
        if status is not TransactionStatus.IDLE or begins:
            return super().execute(query, *given, **named)
        super().execute(self.begin)
        super().execute(query, *given, **named)
        self.connection.commit()
        return self


def create_postgresql_engine(
    url: URL, timeout: int
) -> tuple[Engine, CircuitBreaker]:
    """Return an engine for `url`, and the circuit breaker of its waits.

    `timeout` is in milliseconds. Raise `ConfigurationError` if `url` has an
    option that is neither libpq's nor set here: the driver would take the
    names of its own arguments, whose values are no text.
    """
    unknown = sorted(set(url.query) - connection_options() - _OWN_ARGUMENTS)
    if unknown:
        raise ConfigurationError(
            "DATABASE_URL",
            f"{unknown[0]} is not an option of a connection to PostgreSQL",
        )
    breaker = CircuitBreaker(timeout)
    connection_class: type[BoundedConnection] = type(
        "BoundedConnection", (BoundedConnection,), {"breaker": breaker}
    )
    engine = sqlalchemy.create_engine(
        url.set(query=_without(url, "options")),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=_connect_arguments(url, timeout),
    )

    @event.listens_for(engine, "do_connect")
    def connect(
        _: Any, __: Any, positional: Any, named: dict[str, Any]
    ) -> BoundedConnection:
        """Open a connection to a database that can store any text."""
        made = breaker.connect(
            lambda: connection_class.connect(*positional, **named)
        )
        _require_utf8(made)
        return made

    return engine, breaker


def connection_options() -> set[str]:
    """Return the names of the options that libpq knows."""
    return {each.keyword.decode() for each in Conninfo.get_defaults()}


def _begin_statement(timeout: int) -> str:
    """Return the SQL that begins a transaction.

    A pooler accepts no settings for a connection, so there each transaction
    sets them; `timeout` is in milliseconds.
    """
    if not _has_pooler():
        return "BEGIN"
    schema = access_settings.DATABASE_SCHEMA.read()
    return (
        f"BEGIN; SET LOCAL lock_timeout = {timeout:d};"
        f" SET LOCAL statement_timeout = {timeout:d}"
        + (f"; SET LOCAL search_path = {schema}" if schema else "")
    )


def _connect_arguments(url: URL, timeout: int) -> dict[str, Any]:
    """Return the arguments of a connection besides those of `url`.

    `timeout` is in milliseconds. A value in the URL replaces ours, and its
    `options` are joined with ours: the server uses the last of two values.
    """
    ours: dict[str, Any] = {
        "connect_timeout": max(2, timeout // 1000),
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": timeout,
    }
    arguments = {key: ours[key] for key in ours if key not in url.query}
    # The driver returns bytes instead of text for some encodings.
    arguments |= {"autocommit": True, "client_encoding": "UTF8"}
    theirs = url.query.get("options", "")
    if not isinstance(theirs, str):
        theirs = " ".join(theirs)
    schema = access_settings.DATABASE_SCHEMA.read()
    if _has_pooler():
        if schema:
            begin = _begin_statement(timeout).encode()
            arguments["cursor_factory"] = type(
                "SchemaCursor", (SchemaCursor,), {"begin": begin}
            )
        # A prepared statement belongs to one connection of the server.
        arguments["prepare_threshold"] = None
        if theirs:
            arguments["options"] = theirs
        return arguments
    arguments["prepare_threshold"] = 1
    arguments["options"] = (
        f"-c lock_timeout={timeout:d} -c statement_timeout={timeout:d}"
        f" {theirs} -c timezone=UTC"
        + (f" -c search_path={schema}" if schema else "")
    )
    return arguments


def _without(url: URL, *names: str) -> dict[str, Any]:
    """Return the options of `url` that have other names."""
    return {key: url.query[key] for key in url.query if key not in names}


def _has_pooler() -> bool:
    """Return True if a pooler may give each transaction a connection."""
    return settings.DATABASE_POOLER.read() == "transaction"


def _require_utf8(connection: BoundedConnection) -> None:
    """Raise `SchemaMismatch` if the database does not store all of Unicode.

    SQL_ASCII checks nothing and sorts bytes; the others refuse the
    characters that they lack, in the middle of a request.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        connection.close()
        raise SchemaMismatch(
            f"the database has the encoding {encoding}, which cannot store"
            " every name and email: create one with UTF8 (createdb"
            " --encoding=UTF8 --template=template0 NAME)"
        )

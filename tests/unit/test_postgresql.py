#!/usr/bin/env python3
"""PostgreSQL: addresses, options, encodings, poolers and deadlines."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text

from tests.backends import PgBouncer, PostgreSQL
from tests.threads import at_once
from tests.unit.cli.conftest import Run, run
from vestibule.core.errors import (
    ConfigurationError,
    SchemaMismatch,
    ServiceBusy,
)
from vestibule.db import engine, migrate
from vestibule.db.engine import database
from vestibule.db.models.user import User

__all__ = ["run"]


def _show(name: str) -> str:
    """Return a setting of the open connection."""
    return str(database().fetch_all(text(f"SHOW {name}"))[0][0])


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg"]
)
def test_addresses_of_hosts_are_accepted(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The schemes that hosts and libpq use lead to the same driver."""
    url = f" {scheme}:{on_postgresql.partition(':')[2]}\n"
    monkeypatch.setenv("DATABASE_URL", url)
    assert User.count() == 0
    assert database().url.drivername == "postgresql+psycopg"


def test_options_of_the_address_are_joined_with_ours(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's value counts where both set one."""
    monkeypatch.setenv(
        "DATABASE_URL",
        f"{on_postgresql}?options=-c%20work_mem%3D1234kB"
        "%20-c%20statement_timeout%3D4321&application_name=mine"
        "&connect_timeout=7&keepalives_idle=11&client_encoding=latin1"
        "&prepare_threshold=9&autocommit=0",
    )
    User(email="Zoë 漢").save()
    for name, value in (
        ("work_mem", "1234kB"),
        ("statement_timeout", "4321ms"),
        ("lock_timeout", "5s"),
        ("timezone", "UTC"),
        ("application_name", "mine"),
        ("client_encoding", "UTF8"),
    ):
        assert _show(name) == value, name
    with database().connection() as connection:
        info: Any = connection.connection.driver_connection
        assert info.info.get_parameters()["keepalives_idle"] == "11"
        assert info.info.get_parameters()["tcp_user_timeout"] == "5000"


@pytest.mark.parametrize("option", ["row_factory", "context", "ssl_mode"])
def test_option_that_libpq_does_not_know_is_refused(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two are arguments of the driver, whose values are no text."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://h/d?{option}=secret")
    with pytest.raises(ConfigurationError, match=option) as caught:
        engine.configured_database()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_database_without_utf8_is_refused(
    postgresql: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
    encoding: str,
) -> None:
    """The use and the upgrade say in one line what to do."""
    monkeypatch.setenv("DATABASE_URL", postgresql.fresh_url(None, encoding))
    for _ in range(2):
        with pytest.raises(SchemaMismatch, match=f"encoding {encoding}, "):
            User.count()
    for command in ("upgrade", "check"):
        done = run("db", command)
        assert done.exit_code == 1
        assert "createdb --encoding=UTF8" in done.stderr
        assert done.stderr.count("\n") == 1


def test_pooler_setting_is_needed(
    on_postgresql: str, pgbouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PgBouncer refuses options, unless `DATABASE_POOLER` is set."""
    monkeypatch.setenv("DATABASE_URL", pgbouncer.url(on_postgresql))
    with pytest.raises(Exception, match="startup parameter"):
        User.count()
    monkeypatch.setenv("DATABASE_POOLER", "transaction")
    assert User.count() == 0


@pytest.mark.slow
def test_many_threads_share_a_pooler(on_pgbouncer: str) -> None:
    """Each transaction may get another connection of the server."""

    def use(number: int) -> bool:
        """Store, change and read a user again and again."""
        for turn in range(10):
            user = User(first_name=f"{number} {turn}")
            user.save()
            user.last_name = "x"
            user.save()
            assert User.get(user.id) == user
        return True

    assert all(at_once(12, use))
    assert User.count() == 120


def test_pooler_transactions_have_a_lock_timeout(
    on_pgbouncer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that waits for a lock gives up as it does without a pooler."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "200")
    user = User()
    user.save()
    with database().transaction() as connection:
        connection.execute(text("LOCK TABLE users"))
        found = at_once(1, lambda _: _failure(user.save), closing=False)
    assert isinstance(found[0], ServiceBusy)
    assert "timeout" in str(found[0])
    user.save()


def test_migrations_run_through_a_pooler(
    postgresql: PostgreSQL,
    pgbouncer: PgBouncer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The upgrade is one transaction, so a pooler does not disturb it."""
    monkeypatch.setenv("DATABASE_URL", pgbouncer.url(postgresql.fresh_url()))
    monkeypatch.setenv("DATABASE_POOLER", "transaction")
    opened = engine.configured_database()
    migrate.upgrade(opened)
    assert migrate.schema(opened).is_current
    opened.dispose()
    assert User.count() == 0


def _failure(use: Any) -> Exception | None:
    """Return the error of a use of the database, if there is one."""
    try:
        use()
    except Exception as error:
        return error
    return None


def _is_normal_again() -> bool:
    """Return True if a query is answered within two seconds."""
    give_up = time.monotonic() + 2
    while time.monotonic() < give_up:
        if _failure(User.count) is None:
            return True
        time.sleep(0.05)
    return False


def _warm_up() -> None:
    """Let eight threads have a connection each."""
    User.count()
    at_once(8, lambda _: User.count(), closing=False)


def _use_while_frozen() -> None:
    """Use the frozen database in many ways; each must fail in time."""
    user = User()
    uses = (user.save, User.count, lambda: User.get("x"), User.all)
    found = at_once(8, lambda n: _failure(uses[n % 4]), closing=False)
    assert {type(each) for each in found} == {ServiceBusy}
    # The circuit breaker answers without a wait, or by a short probe.
    began = time.monotonic()
    for use in uses * 10:
        assert type(_failure(use)) is ServiceBusy
    assert time.monotonic() - began < 15


@pytest.mark.slow
def test_frozen_server_is_busy_until_it_goes_on(
    on_postgresql: str, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warm connections do not hang, and later queries work again."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "300")
    _warm_up()
    for _ in range(2):
        postgresql.freeze()
        try:
            _use_while_frozen()
        finally:
            postgresql.thaw()
        assert _is_normal_again()
    User().save()


@pytest.mark.slow
def test_frozen_server_behind_a_pooler_is_busy(
    on_pgbouncer: str, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pooler takes connections, but answers no query."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "300")
    _warm_up()
    postgresql.freeze()
    try:
        _use_while_frozen()
    finally:
        postgresql.thaw()
    assert _is_normal_again()


class Relay:
    """A TCP relay to a port, which can swallow all that passes."""

    def __init__(self, port: int) -> None:
        """Listen on a free port of the loopback interface."""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.is_swallowing = False
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Close all connections, and take no more."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        """Relay each connection in both directions."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += client, server
            for pair in ((client, server), (server, client)):
                copying = threading.Thread(
                    target=self._copy, args=pair, daemon=True
                )
                self._threads.append(copying)
                copying.start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        """Pass bytes on, or swallow them, until the end."""
        try:
            while data := source.recv(65_536):
                if not self.is_swallowing:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def relay(
    on_postgresql: str, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Relay]:
    """Put a relay between the test and its database."""
    relayed = Relay(postgresql.port)
    old, new = f":{postgresql.port}/", f":{relayed.port}/"
    monkeypatch.setenv("DATABASE_URL", on_postgresql.replace(old, new))
    monkeypatch.setenv("DATABASE_TIMEOUT", "300")
    yield relayed
    relayed.close()


@pytest.mark.slow
def test_network_that_drops_packets_makes_the_database_busy(
    relay: Relay,
) -> None:
    """Connections whose bytes were lost are not used again."""
    _warm_up()
    relay.is_swallowing = True
    _use_while_frozen()
    relay.is_swallowing = False
    assert _is_normal_again()
    User().save()


def test_dropped_packets_at_the_first_use_make_the_database_busy(
    relay: Relay,
) -> None:
    """Connecting has the same deadline as a query."""
    relay.is_swallowing = True
    assert type(_failure(User.count)) is ServiceBusy
    relay.is_swallowing = False
    assert _is_normal_again()


def test_slow_query_does_not_open_the_circuit_breaker(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends it and says so; other queries go on."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "300")
    User().save()
    slow = text("SELECT pg_sleep(30)")
    failed = _failure(lambda: database().fetch_all(slow))
    assert type(failed) is ServiceBusy and "statement timeout" in str(failed)
    assert User.count() == 1

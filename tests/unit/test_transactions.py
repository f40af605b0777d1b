#!/usr/bin/env python3
"""Transactions: locks, timeouts, rollback and errors of drivers."""

import os
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from vestibule.core.errors import (
    DatabaseUnavailable,
    ServiceBusy,
)
from vestibule.db import drivers
from vestibule.db.engine import database
from vestibule.db.models.user import User


def _file() -> str:
    """Return the path of this test's SQLite file."""
    return os.environ["DATABASE_URL"].removeprefix("sqlite:///")


def test_locked_file_raises_busy_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process holds the lock: reads go on, a write gives up."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "200")
    user = User()
    user.save()
    other = drivers.sqlite_driver().connect(_file(), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(ServiceBusy, match="busy"):
        user.save()
    assert 0.15 < time.monotonic() - began < 5
    assert User.get(user.id) == user
    other.execute("ROLLBACK")
    user.save()
    other.close()


@pytest.mark.slow
def test_transaction_locks_at_its_start() -> None:
    """No other connection writes between its reads and its writes."""
    User().save()
    other = drivers.sqlite_driver().connect(
        _file(), timeout=0, isolation_level=None
    )
    with database().transaction():
        with pytest.raises(
            drivers.sqlite_driver().OperationalError, match="locked"
        ):
            other.execute("BEGIN IMMEDIATE")
        other.execute("SELECT * FROM users")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_long_write_of_another_thread_raises_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the process the wait for the writer ends just the same."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "200")
    user = User()
    user.save()
    begun, finish = threading.Event(), threading.Event()

    def write_long() -> None:
        """Stay in a transaction until the test ends it."""
        with database().transaction():
            begun.set()
            finish.wait(20)

    thread = threading.Thread(target=write_long)
    thread.start()
    assert begun.wait(20)
    with pytest.raises(ServiceBusy, match="busy with other writes"):
        user.save()
    finish.set()
    thread.join(20)
    user.save()


@pytest.mark.slow
def test_locked_table_raises_busy_after_the_timeout(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends the wait for a lock as SQLite does."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "200")
    user = User()
    user.save()
    locked, finish = threading.Event(), threading.Event()

    def lock() -> None:
        """Hold the table until the test ends it."""
        with database().transaction() as connection:
            connection.execute(text("LOCK TABLE users"))
            locked.set()
            finish.wait(20)

    thread = threading.Thread(target=lock)
    thread.start()
    assert locked.wait(20)
    for use in (user.save, lambda: User.get(user.id), User.count):
        with pytest.raises(ServiceBusy):
            use()
    finish.set()
    thread.join(20)
    assert User.get(user.id) == user


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_failed_transaction_is_rolled_back(
    any_database: str, error: type[BaseException]
) -> None:
    """After any error nothing of it stays, and the next one works."""
    user = User()
    user.save()
    with pytest.raises(error), database().transaction() as connection:
        connection.execute(text("DELETE FROM users"))
        raise error
    assert User.all() == [user]
    user.remove()
    assert User.count() == 0


def test_integrity_error_is_raised_and_rolled_back(any_database: str) -> None:
    """The caller knows what an `IntegrityError` means."""
    user = User()
    user.save()
    with (
        pytest.raises(IntegrityError),
        database().transaction() as connection,
    ):
        connection.execute(text("DELETE FROM users"))
        connection.execute(text("INSERT INTO users (id) VALUES ('a')"))
    assert User.all() == [user]


def test_wrong_sql_raises_our_error(any_database: str) -> None:
    """Neither reads nor writes let an error of a driver out."""
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="nowhere"):
            database().fetch_all(text("SELECT * FROM nowhere"))
        with (
            pytest.raises(DatabaseUnavailable, match="nowhere"),
            database().transaction() as connection,
        ):
            connection.execute(text("DELETE FROM nowhere"))
    assert User.count() == 0

#!/usr/bin/env python3
"""Uses of sessions are collected, and written many at a time."""

import logging
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Thread
from unittest.mock import Mock

import pytest
from sqlalchemy import select, text, update

from tests.clocks import SetClock
from tests.statements import count_write_transactions, recorded
from tests.stores.test_session_use import HOUR, last_seen
from tests.threads import FailingThreadStart
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db import engine, session_touches
from vestibule.db.engine import Database, database
from vestibule.db.tables import USER_SESSIONS
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason
from vestibule.sessions.sweeper import TouchWriter


def _stored_uses() -> list[datetime]:
    """Return the last uses that are in the database, oldest first."""
    column = USER_SESSIONS.c.last_seen_at
    rows = database().fetch_all(select(column).order_by(column))
    return [row[0] for row in rows]


def _await_stored_use(moment: datetime) -> None:
    """Return when the database has this last use."""
    for _ in range(1000):
        if moment in _stored_uses():
            return
        time.sleep(0.01)
    raise AssertionError("the use was not written")


def _touch_all(number: int, now: datetime) -> list[str]:
    """Begin sessions, and use each of them at `now`."""
    auth = SessionDBAuth()
    ids = [str(auth.create_session("abcde")) for _ in range(number)]
    for session_id in ids:
        session_touches.PENDING_TOUCHES.add(digest_of(session_id), now)
    return ids


def test_uses_are_written_in_one_statement(
    any_database: str, set_clock: SetClock
) -> None:
    """A session that ended meanwhile stays ended; a later use stays."""
    began, now = set_clock.moment, set_clock.moment + timedelta(seconds=90)
    ids = _touch_all(50, now)
    store = DatabaseStore()
    assert store.end(ids[0], EndReason.LOGGED_OUT)
    later = now + timedelta(seconds=1)
    assert store.rotate(ids[1], later)
    assert _stored_uses() == [began] * 48 + [later]
    with recorded() as statements:
        session_touches.PENDING_TOUCHES.write()
        session_touches.PENDING_TOUCHES.write()
    updates = [each for each in statements if each.text.startswith("UPDATE")]
    assert len(updates) == 1
    assert count_write_transactions(statements) == 1
    assert _stored_uses() == [now] * 48 + [later]


def test_uses_of_two_seconds_get_two_times(
    any_database: str, set_clock: SetClock
) -> None:
    """No session gets a use that is a second too late."""
    first = set_clock.moment
    _touch_all(2, first + timedelta(seconds=70))
    _touch_all(2, first + timedelta(seconds=70.1))
    _touch_all(2, first + timedelta(seconds=75))
    session_touches.PENDING_TOUCHES.write()
    expected = [first + timedelta(seconds=70.1)] * 4
    expected += [first + timedelta(seconds=75)] * 2
    assert _stored_uses() == expected


@pytest.mark.usefixtures("on_postgresql")
def test_use_writes_no_index_of_postgresql(set_clock: SetClock) -> None:
    """Each update is a HOT update: the new version is on the same page.

    Of the sessions on a page some are used in the same fifth of a second.
    """
    ids = _touch_all(100, set_clock.moment)
    session_touches.PENDING_TOUCHES.write()
    for number in range(80):
        now = set_clock.moment + timedelta(seconds=1 + number)
        for session_id in islice(ids, number % 20, None, 20):
            session_touches.PENDING_TOUCHES.add(digest_of(session_id), now)
        session_touches.PENDING_TOUCHES.write()
    counted = text(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
        " WHERE relname = 'user_sessions'"
    )
    for _ in range(1000):
        with database().engine.connect() as connection:
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))
            updated, hot = connection.execute(counted).one()
        if updated == 400:
            break
        time.sleep(0.01)
    assert updated == 400
    assert hot == 400


@pytest.mark.usefixtures("on_postgresql")
def test_use_waits_for_no_other_transaction(set_clock: SetClock) -> None:
    """A password change that ends the same sessions meets no deadlock."""
    now = set_clock.moment + timedelta(hours=1)
    ids = _touch_all(3, now)
    locked = USER_SESSIONS.c.session_digest == digest_of(ids[1])
    lock = update(USER_SESSIONS).where(locked).values(method="x")
    with database().transaction() as connection:
        connection.execute(lock)
        writing = Thread(target=session_touches.PENDING_TOUCHES.write)
        writing.start()
        writing.join(30)
        assert not writing.is_alive()
    assert _stored_uses() == [set_clock.moment, now, now]


def test_thread_writes_uses(any_database: str, set_clock: SetClock) -> None:
    """They are in the database soon, without another request."""
    auth = SessionDBAuth()
    session_id = auth.create_session("abcde")
    for _ in range(2):
        set_clock.advance(HOUR)
        assert auth.user_id_for_session_id(session_id) == "abcde"
        assert last_seen(auth, session_id) == set_clock.moment
        _await_stored_use(set_clock.moment)


@pytest.mark.slow
def test_script_writes_uses_before_it_ends(
    any_database: str, set_clock: SetClock
) -> None:
    """Also one that ends before its thread has written them."""
    now = clock.now()
    session_id = str(SessionDBAuth().create_session("abcde"))
    script = (
        "from vestibule.mechanisms.session_db_auth import SessionDBAuth;"
        "import sys; auth = SessionDBAuth();"
        "print(auth.user_id_for_session_id(sys.argv[1]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, session_id],
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "abcde\n"
    assert ran.stderr == ""
    assert _stored_uses()[0] > now


def test_use_is_written_at_once_without_a_thread(
    on_sqlite: str, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that allows no more threads loses no use."""
    auth = SessionDBAuth()
    session_id = auth.create_session("abcde")
    set_clock.advance(HOUR)
    FailingThreadStart(monkeypatch)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    assert _stored_uses() == [set_clock.moment]


@pytest.mark.parametrize(
    "error", [DatabaseUnavailable("no room"), KeyError("no room")]
)
def test_use_that_cannot_be_written_is_dropped(
    on_sqlite: str,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """It is logged, and the next use of the session is recorded."""
    began, now = set_clock.moment, set_clock.moment + timedelta(hours=1)
    (session_id,) = _touch_all(1, now)
    writer = TouchWriter()
    with monkeypatch.context() as patched:
        patched.setattr(Database, "transaction", Mock(side_effect=error))
        with caplog.at_level(logging.WARNING):
            writer.write()
    assert "the last use of a session was not stored" in caplog.text
    assert "no room" in caplog.text
    assert session_id not in caplog.text
    writer.write()
    assert _stored_uses() == [began]
    assert last_seen(SessionDBAuth(), session_id) == began


def test_pending_uses_are_bounded(
    on_sqlite: str, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is locked, memory does not grow."""
    monkeypatch.setattr(session_touches, "MAX_PENDING_TOUCHES", 2)
    began, now = set_clock.moment, set_clock.moment + timedelta(hours=1)
    _touch_all(4, now)
    session_touches.PENDING_TOUCHES.write()
    assert _stored_uses() == [began, began, now, now]


def test_use_is_not_written_to_another_database(
    on_sqlite: str,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A database that was closed is not opened again by its uses."""
    _touch_all(1, set_clock.moment + timedelta(hours=1))
    engine.close()
    session_touches.PENDING_TOUCHES.write()
    assert _stored_uses() == [set_clock.moment]
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    engine.close()
    session_touches.PENDING_TOUCHES.write()
    assert not (tmp_path / "other.db").exists()


def test_session_in_use_is_not_purged_as_idle(
    any_database: str, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last use may wait to be written at that moment."""
    monkeypatch.setenv("SESSION_IDLE_TIMEOUT", "60")
    _touch_all(1, set_clock.moment + timedelta(seconds=50))
    set_clock.advance(100)
    assert SessionDBAuth().purge_expired() == 0
    set_clock.advance(11)
    assert SessionDBAuth().purge_expired() == 1


def test_forked_child_does_not_write_uses_of_its_parent(
    on_sqlite: str, set_clock: SetClock
) -> None:
    """The parent writes them."""
    _touch_all(1, set_clock.moment)
    child = os.fork()
    if not child:
        os._exit(len(session_touches.PENDING_TOUCHES._moments))
    assert os.waitpid(child, 0)[1] == 0
    assert len(session_touches.PENDING_TOUCHES._moments) == 1

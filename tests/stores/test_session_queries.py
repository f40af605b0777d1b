#!/usr/bin/env python3
"""Session queries: sessions of a user end together."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text

from tests.clocks import SetClock
from tests.statements import count_write_transactions, recorded
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.db.statements import MAX_BATCH_ROWS
from vestibule.db.tables import ENDED_SESSIONS, USER_SESSIONS
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason


def _await_a_waiting_lock() -> None:
    """Return when a connection waits for a row of PostgreSQL's sessions."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    for _ in range(1000):
        # Within a transaction PostgreSQL's statistics do not change.
        with database().engine.connect() as connection:
            if connection.scalar(waiting):
                return
    raise AssertionError("no connection waited for a lock")


@pytest.mark.slow
def test_logout_during_a_batch_leaves_no_session_behind(
    on_postgresql: str,
) -> None:
    """One session of a full batch ends by itself; still all are gone."""
    for number in range(MAX_BATCH_ROWS + 20):
        UserSession(user_id="bob", session_id=str(number)).save()
    some = select(USER_SESSIONS.c.id).limit(1)
    thread = threading.Thread(
        target=session_queries.delete_for_user, args=("revoked", "bob")
    )
    with database().transaction() as connection:
        connection.execute(
            delete(USER_SESSIONS).where(USER_SESSIONS.c.id.in_(some))
        )
        thread.start()
        _await_a_waiting_lock()
    thread.join(30)
    assert UserSession.count() == 0


def test_handle_with_nul_matches_no_session(
    any_database: str,
) -> None:
    """PostgreSQL has no NUL: a handle with one is not found."""
    assert not DatabaseStore().end_by_handle("\0", EndReason.REVOKED, "bob")


@pytest.mark.slow
def test_idle_purge_scans_all_ages_in_bounded_queries(
    any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions in use stay, in the first and in every later query."""
    monkeypatch.setattr(session_queries, "MAX_ROWS_SCANNED", 3)
    now = SetClock().moment
    idle = now - timedelta(hours=1)
    for number in range(11):
        # Some began at the same moment, and some were never used.
        began = now - timedelta(days=9 - number // 2)
        seen = (None, began, now)[number % 3]
        UserSession(
            user_id="bob",
            session_id=str(number),
            created_at=began,
            last_seen_at=seen,
        ).save()
    for fresh in (now, now - timedelta(minutes=59)):
        UserSession(user_id="bob", session_id="x", created_at=fresh).save()
    with recorded() as statements:
        ended = session_queries.delete_idle_since(idle, EndReason.IDLE_TIMEOUT)
        assert not session_queries.delete_idle_since(idle, "never used")
    assert ended == 8
    assert UserSession.count() == 5
    in_use = UserSession.search({"user_id": "bob"})
    assert [one.last_seen_at for one in in_use] == [now] * 3 + [None] * 2
    # Each of four queries found some; a purge that finds none only reads.
    assert count_write_transactions(statements) == 4


@pytest.mark.slow
@pytest.mark.parametrize("keep", [False, True])
def test_all_sessions_of_a_user_end_in_one_transaction(
    any_database: str, keep: bool
) -> None:
    """However many there are, no session is read into memory."""
    for number in range(MAX_BATCH_ROWS + 2):
        UserSession(user_id="bob", session_id=str(number)).save()
    UserSession(user_id="bob").save()
    UserSession(user_id="eve", session_id="her").save()
    kept = UserSession.search({"session_id": "7"})[0].id if keep else None
    with recorded() as statements:
        ended = session_queries.delete_for_user("revoked", "bob", kept)
    assert ended == MAX_BATCH_ROWS + 3 - keep
    assert count_write_transactions(statements) == 1
    assert len(statements) <= 3
    assert UserSession.count() == 1 + keep
    reasons = database().fetch_all(select(ENDED_SESSIONS.c.reason))
    assert [row[0] for row in reasons] == ["revoked"] * (ended - 1)

#!/usr/bin/env python3
"""Session queries: sessions of a user end together."""

import threading

from sqlalchemy import delete, select, text

from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession
from vestibule.db.statements import MAX_BATCH_ROWS
from vestibule.db.tables import USER_SESSIONS
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason


def _await_a_waiting_lock() -> None:
    """Return when a connection waits for a row of PostgreSQL's sessions."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    for _ in range(1000):
        # In the other's transaction, statistics would stand still.
        with database().engine.connect() as connection:
            if connection.scalar(waiting):
                return
    raise AssertionError("no connection waited for a lock")


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
    assert not DatabaseStore().end_handle("\0", EndReason.REVOKED, "bob")

#!/usr/bin/env python3
"""The change token: every change that decides who may pass changes it."""

from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Table

from tests.fake_requests import with_session
from tests.stores.test_session_cache import Guest, guest, in_a_shell
from vestibule.db import drivers
from vestibule.db.engine import database
from vestibule.db.tables import USER_SESSIONS, USERS
from vestibule.http.access import Outcome

pytestmark = pytest.mark.slow

__all__ = ["guest"]

#: The columns whose changes leave a cached session as it is. The text of a
#: search is made of columns that count, and the language is that of mails.
_UNDECISIVE = {
    "users.language",
    "users.signed_in_at",
    "users.search_text",
    "user_sessions.last_seen_at",
}


@pytest.mark.parametrize("table", [USERS, USER_SESSIONS], ids=str)
def test_change_of_any_other_column_counts(guest: Guest, table: Table) -> None:
    """A migration that adds a column must add it to the triggers."""
    for column in table.c:
        before = database().change_token()
        in_a_shell(f"UPDATE {table} SET {column.name} = {column.name}")
        is_same = database().change_token() == before
        assert is_same is (str(column) in _UNDECISIVE), column


@pytest.mark.parametrize(
    ("statement", "outcome"),
    [
        (
            "REPLACE INTO user_sessions SELECT id, created_at, updated_at,"
            " 'x', session_digest, last_seen_at, authenticated_at, ip,"
            " user_agent, method, network, proof_methods, second_factor_at,"
            " phishing_resistant, user_verified, recovered"
            " FROM user_sessions",
            Outcome.REFUSED,
        ),
        (
            "INSERT OR REPLACE INTO users (id, created_at, updated_at, role,"
            " disabled_at, first_key, last_key) SELECT id, created_at,"
            " updated_at, role, created_at, '', '' FROM users",
            Outcome.REFUSED,
        ),
        (
            "INSERT OR REPLACE INTO users (id, created_at, updated_at,"
            " email_key) SELECT 'x', created_at, updated_at, email_key"
            " FROM users",
            Outcome.REFUSED,
        ),
        ("DELETE FROM users", Outcome.REFUSED),
    ],
)
def test_row_that_a_shell_replaces_counts(
    guest: Guest, statement: str, outcome: Outcome
) -> None:
    """SQLite fires no trigger for the rows that REPLACE deletes."""
    in_a_shell(statement)
    assert guest.outcome() is outcome


def test_backup_that_is_written_into_the_file_counts(
    guest: Guest, tmp_path: Any
) -> None:
    """The backup has the generation of the cached session, but no session.

    New sessions do not change the generation.
    """
    path = str(database().url.database)
    connect = drivers.sqlite_driver().connect
    empty = connect(tmp_path / "empty.db")
    with closing(connect(path)) as live, closing(empty) as backup:
        session_id = guest.auth.create_session(guest.user.id)
        live.backup(backup)
        backup.execute("DELETE FROM user_sessions")
        backup.execute(
            "UPDATE cache_generation SET value = ?",
            live.execute("SELECT value FROM cache_generation").fetchone(),
        )
        backup.commit()
        guest.visit = with_session(session_id)
        assert guest.outcome() is Outcome.PASSED
        backup.backup(live)
    assert guest.outcome() is Outcome.REFUSED


def test_without_its_generation_nothing_is_cached(guest: Guest) -> None:
    """A database whose row was deleted is slower, and as correct."""
    in_a_shell("DELETE FROM cache_generation")
    assert database().change_token() is None
    assert guest.outcome() is Outcome.PASSED
    in_a_shell("DELETE FROM user_sessions")
    assert guest.outcome() is Outcome.REFUSED

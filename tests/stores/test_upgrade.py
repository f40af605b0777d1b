#!/usr/bin/env python3
"""An upgrade keeps the rows of an older database."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from tests.backends import PostgreSQL
from vestibule.db import engine, migrate
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.user_search import UserFilter, search_page

NOON = datetime(2026, 3, 29, 12, 0, 0, 123_457, tzinfo=timezone.utc)
NUMBER = (
    (NOON - datetime(1970, 1, 1, tzinfo=timezone.utc))
    // timedelta(microseconds=1)
    * 256
)


def upgraded() -> None:
    """Bring the database that is set to the revision of now."""
    fresh = engine.configured_database()
    migrate.upgrade(fresh)
    fresh.close()
    engine.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def older(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make a database of revision 0004 with users, sessions, events."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        monkeypatch.setenv("DATABASE_URL", server.fresh_url())
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "REVISION", "0004")
        upgraded()
    fresh = engine.configured_database()
    at = "2026-03-29 12:00:00.000000+00:00"
    with fresh.transaction() as connection:
        for statement in (
            "INSERT INTO users (id, created_at, updated_at, first_name,"
            f" last_name) VALUES ('1', '{at}', '{at}', 'Ada', 'Straße'),"
            f" ('2', '{at}', '{at}', NULL, NULL)",
            "INSERT INTO user_sessions (id, created_at, updated_at, user_id,"
            f" ip) VALUES ('a', '{at}', '{at}', '1', '2001:db8::7'),"
            f" ('b', '{at}', '{at}', '1', NULL)",
            "INSERT INTO events (id, kind, user_id) VALUES"
            f" ({NUMBER - 999}, 'login', '1'), ({NUMBER + 3}, 'login', '1'),"
            f" ({NUMBER + 512}, 'logout', '1')",
        ):
            connection.execute(text(statement))
    fresh.close()


def test_upgrade_fills_in_names_logins_and_networks(older: None) -> None:
    """As if they had been written from the beginning."""
    upgraded()
    assert [
        user.id for user in search_page(UserFilter("ada strasse"), 9).users
    ] == ["1"]
    assert [
        user.id for user in search_page(UserFilter(signed_in=False), 9).users
    ] == ["2"]
    user = User.get("1")
    assert user is not None and user.signed_in_at == NOON
    found = UserSession.newest(None, 9, network="2001:db8::/64")
    assert [session.id for session in found] == ["a"]
    found = UserSession.newest("1", 9, network="2001:db8::/64")
    assert [session.id for session in found] == ["a"]
    found[0].user_agent = "x"
    found[0].save_changes()
    network = text("SELECT network FROM user_sessions ORDER BY id")
    assert [row[0] for row in database().fetch_all(network)] == [
        "2001:db8::/64",
        None,
    ]

#!/usr/bin/env python3
"""An upgrade keeps the rows of an older database."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text

from tests.backends import PostgreSQL
from tests.statements import recorded
from tests.threads import at_once
from vestibule.db import engine, migrate
from vestibule.db.engine import Database, database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import REVISION
from vestibule.db.user_search import (
    UserFilter,
    search_page,
    users_without_own_email,
)

pytestmark = pytest.mark.slow

NOON = datetime(2026, 3, 29, 12, 0, 0, 123_457, tzinfo=timezone.utc)
NUMBER = (
    (NOON - datetime(1970, 1, 1, tzinfo=timezone.utc))
    // timedelta(microseconds=1)
    * 256
)
#: The revision before that of the keys of emails.
BEFORE_EMAIL_KEYS = "0006"
#: Different under the old rule; the second to the fourth are one mailbox.
EMAILS = (
    "plain@example.com",
    "ada@xn--bcher-kva.example",
    "ada@b\u00fccher.example",
    "ada@\uff42\u00fccher.example",
    "ada@fa\u00df.example",
    "other@x.example",
)


def upgraded() -> None:
    """Upgrade the configured database to the newest revision."""
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
        patched.setattr(migrate, "EXPECTED_REVISION", "0004")
        upgraded()
    fresh = engine.configured_database()
    assert migrate.revision(fresh) == "0004"
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


def _add_sessions(number: int) -> None:
    """Add sessions of the first user, each with its own address."""
    fresh = engine.configured_database()
    at = "2026-03-29 12:00:00.000000+00:00"
    with fresh.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO user_sessions (id, created_at, updated_at,"
                f" user_id, ip) VALUES (:id, '{at}', '{at}', '1', :ip)"
            ),
            [
                {"id": f"s{n}", "ip": f"10.{n >> 8}.{n & 255}.1"}
                for n in range(number)
            ],
        )
    fresh.close()


def _count_filled(opened: Database) -> int:
    """Return the number of sessions with a network."""
    counted = text("SELECT count(network) FROM user_sessions")
    return int(opened.fetch_all(counted)[0][0])


@pytest.mark.parametrize("finished", [1, 2, 3, 4, 5])
def test_interrupted_upgrade_continues(
    older: None, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    """What an interrupted upgrade filled is not filled again."""
    monkeypatch.setattr(migrate, "MAX_FILL_ROWS", 1)
    _add_sessions(3)
    begin, begun = Database.transaction, list[Database]()

    def transaction(opened: Database) -> Any:
        """Begin a transaction; interrupt all but the first ones."""
        if len(begun) == finished:
            raise KeyboardInterrupt
        begun.append(opened)
        return begin(opened)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "transaction", transaction)
        with pytest.raises(KeyboardInterrupt):
            upgraded()
    fresh = engine.configured_database()
    assert migrate.revision(fresh) == "0004a"
    # The first three are for the columns, a name, and a login.
    filled = _count_filled(fresh)
    assert filled == max(0, finished - 3)
    with recorded(fresh.engine) as statements:
        migrate.upgrade(fresh)
    updates = [each.text[:15] for each in statements]
    assert updates.count("UPDATE user_ses") == 4 - filled
    # A name, a login, and the search texts of two users.
    assert updates.count("UPDATE users SE") == 3 + (finished < 2)
    assert _count_filled(fresh) == 4
    fresh.close()
    found = search_page(UserFilter("ada strasse"), 9).users
    assert [user.id for user in found] == ["1"]


def test_upgrade_finds_each_session_by_its_key(older: None) -> None:
    """A search by the address would read all sessions for each of them."""
    _add_sessions(100)
    fresh = engine.configured_database()
    with recorded(fresh.engine) as statements:
        migrate.upgrade(fresh)
    updates = [
        each.text
        for each in statements
        if each.text.startswith("UPDATE user_sessions")
    ]
    assert len(updates) == 1
    assert "WHERE user_sessions.id = " in updates[0]
    assert _count_filled(fresh) == 101
    fresh.close()


def test_two_machines_upgrade_at_the_same_time(older: None) -> None:
    """Each finds what the other has done, and both succeed."""
    _add_sessions(100)
    at_once(4, lambda _: migrate.upgrade(engine.configured_database()))
    fresh = engine.configured_database()
    assert migrate.revision(fresh) == REVISION
    assert _count_filled(fresh) == 101
    fresh.close()


def test_earlier_target_changes_nothing(any_database: str) -> None:
    """A machine that is late does not take a newer schema back."""
    config = migrate.alembic_config()
    migrate._run_migrations(database(), config, "0004a")
    assert migrate.revision(database()) == REVISION


@pytest.fixture(params=["sqlite", "postgresql"])
def before_email_keys(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Make a database of revision 0006 with emails of one mailbox.

    Return their ids, oldest first.
    """
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        monkeypatch.setenv("DATABASE_URL", server.fresh_url())
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "EXPECTED_REVISION", BEFORE_EMAIL_KEYS)
        upgraded()
    fresh = engine.configured_database()
    with fresh.transaction() as connection:
        for number, email in enumerate(EMAILS):
            connection.execute(
                text(
                    "INSERT INTO users (id, created_at, updated_at, email,"
                    " email_key) VALUES (:id, :at, :at, :email, :key)"
                ),
                {
                    # The ids are in another order than the ages.
                    "id": f"user {9 - number}",
                    "at": f"2026-03-2{number} 12:00:00.000000+00:00",
                    "email": email,
                    "key": email.strip().casefold(),
                },
            )
    fresh.close()
    return [f"user {9 - number}" for number in range(len(EMAILS))]


def test_upgrade_gives_one_mailbox_to_the_oldest(
    before_email_keys: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The others are listed, keep their data and get another email."""
    plain, puny, unicode, wide, sharp, other = before_email_keys
    upgraded()
    assert [r.levelname for r in caplog.records].count("WARNING") == 2
    for loser in (unicode, wide):
        assert f"{loser} cannot sign in with it" in caplog.text
    for email in EMAILS[1:4]:
        (found,) = User.search({"email": email})
        assert found.id == puny
    for email, id in ((EMAILS[0], plain), (EMAILS[4], sharp)):
        assert [user.id for user in User.search({"email": email})] == [id]
    assert [user.id for user in User.search({"email": EMAILS[5]})] == [other]
    found_ids = [
        user.id
        for size in (1, 9)
        for user in search_page(UserFilter("ada@b"), size).users
    ]
    # The newest first.
    assert found_ids == [found_ids[1], *found_ids[1:]]
    assert sorted(found_ids[1:]) == sorted([puny, wide, unicode])
    loser_user = User.get(unicode)
    assert loser_user is not None
    assert loser_user.email == EMAILS[2]
    loser_user.first_name = "Ada"
    loser_user.save_changes()
    assert users_without_own_email() == [User.get(unicode), User.get(wide)]
    loser_user.email = "second@b\u00fccher.example"
    loser_user.save_changes()
    (found,) = User.search({"email": "second@xn--bcher-kva.example"})
    assert found.id == unicode
    assert users_without_own_email() == [User.get(wide)]


def test_search_pages_end_after_users_without_own_email(
    before_email_keys: list[str],
) -> None:
    """Each user is on one page."""
    upgraded()
    found, after = [], None
    for _ in range(9):
        page = search_page(UserFilter("ada@b"), 1, after)
        found += [user.id for user in page.users]
        after = page.next
        if after is None:
            break
    assert len(found) == len(set(found)) == 3

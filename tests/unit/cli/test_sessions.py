#!/usr/bin/env python3
"""`sessions`: lists and purges follow the rules of the server."""

import tracemalloc
from datetime import timedelta

import pytest
from sqlalchemy import insert

from tests.unit.cli.conftest import Run
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import USER_SESSIONS
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason


@pytest.fixture
def three(request: pytest.FixtureRequest) -> list[UserSession]:
    """Store an old and a young session of a user, and one without a user."""
    if "any_database" in request.fixturenames:
        request.getfixturevalue("any_database")
    User(id="1", email="bob@example.com").save()
    User(id="2").save()
    made = [
        UserSession(
            user_id=owner,
            session_id=f"secret {owner} {age}",
            created_at=clock.now() - timedelta(seconds=age),
        )
        for owner, age in (("1", 7200), ("abcde", 3700), ("2", 60))
    ]
    for session in made:
        session.save()
    return made


def rows(text: str) -> list[list[str]]:
    """Return the cells of each line after the first."""
    return [line.split("\t") for line in text.splitlines()[1:]]


def test_list_has_row_id_user_and_expiry(
    any_database: str,
    run: Run,
    three: list[UserSession],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has its row id, its user and whether it is expired."""
    monkeypatch.setenv("SESSION_DURATION", "3600")
    done = run("sessions", "list")
    assert rows(done.stdout) == [
        [session.id, owner, session.to_json()["created_at"], expired]
        for session, owner, expired in zip(
            three,
            ("bob@example.com", "abcde", "2"),
            ("expired", "expired", "no"),
            strict=True,
        )
    ]


def test_list_shows_no_secret(run: Run, three: list[UserSession]) -> None:
    """Neither an id nor a digest of it is in the output."""
    done = run("sessions", "list")
    for session in three:
        assert session.session_id is not None
        assert session.session_id not in done.output
        assert digest_of(session.session_id) not in done.output


def test_without_a_duration_no_session_is_expired(
    run: Run, three: list[UserSession]
) -> None:
    """An unset SESSION_DURATION lets all of them live, and stay."""
    listed = rows(run("sessions", "list").stdout)
    assert [row[-1] for row in listed] == ["no"] * 3
    done = run("sessions", "purge")
    assert done.stdout == "deleted 0 expired sessions: they never expire\n"
    assert UserSession.count() == 3


@pytest.mark.parametrize("by", ["1", "BOB@example.com"])
def test_list_is_filtered_by_user(
    run: Run, three: list[UserSession], by: str
) -> None:
    """Only the user's own sessions are listed, by email or id."""
    (row,) = rows(run("sessions", "list", "--user", by).stdout)
    assert row[:2] == [three[0].id, "bob@example.com"]


def test_each_session_of_a_list_names_its_user(run: Run) -> None:
    """Each session in the list names its user."""
    User(id="1", email="bob@example.com").save()
    for secret in ("x", "y"):
        UserSession(user_id="1", session_id=secret).save()
    listed = rows(run("sessions", "list").stdout)
    assert [row[1] for row in listed] == ["bob@example.com"] * 2


@pytest.mark.slow
def test_long_list_is_read_by_pages(run: Run) -> None:
    """They are read by pages, in order, and none is left out."""
    with database().transaction() as connection:
        now = clock.now()
        connection.execute(
            insert(USER_SESSIONS),
            [
                {
                    "id": f"{number:05}",
                    "created_at": now,
                    "updated_at": now,
                    "user_id": "1",
                    "user_agent": "x" * 500,
                }
                for number in range(5000)
            ],
        )
    tracemalloc.start()
    try:
        done = run("sessions", "list")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    ids = [row[0] for row in rows(done.stdout)]
    assert ids == [f"{number:05}" for number in range(5000)]
    assert peak < 4_000_000


def test_session_without_a_user_is_listed(run: Run) -> None:
    """A row without a user is listed too."""
    UserSession(session_id="x").save()
    (row,) = rows(run("sessions", "list").stdout)
    assert row[1] == "-"


def test_purge_deletes_expired_sessions(
    any_database: str,
    run: Run,
    three: list[UserSession],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that are listed as expired are gone, the others stay."""
    monkeypatch.setenv("SESSION_DURATION", "3600")
    done = run("sessions", "purge")
    assert done.stdout == "deleted 2 expired sessions\n"
    assert UserSession.all() == three[2:]


def test_end_deletes_the_named_sessions(
    any_database: str, run: Run, three: list[UserSession]
) -> None:
    """A handle that is not found is named."""
    done = run("sessions", "end", three[0].id, "no\x1bne", three[1].id)
    assert done.exit_code == 1
    assert done.stdout == "ended 2 sessions\n"
    assert "no session with the id no\\x1bne; see: " in done.stderr
    assert UserSession.all() == three[2:]


def test_end_deletes_all_sessions_of_a_user(
    run: Run, three: list[UserSession]
) -> None:
    """They keep the reason that an admin ended them."""
    done = run("sessions", "end", "--user", "bob@example.com")
    assert (done.exit_code, done.stdout) == (0, "ended 1 sessions\n")
    assert UserSession.all() == three[1:]
    store = SessionDBAuth().store
    assert three[0].session_id is not None
    assert store.reason(three[0].session_id) is EndReason.REVOKED_BY_ADMIN


@pytest.mark.parametrize("arguments", [(), ("x", "--user", "1")])
def test_end_needs_handles_or_a_user(
    run: Run, three: list[UserSession], arguments: tuple[str, ...]
) -> None:
    """It ends what is named or what is a user's, and guesses nothing."""
    assert run("sessions", "end", *arguments).exit_code == 2
    assert UserSession.count() == 3

#!/usr/bin/env python3
"""Sessions of applications' hosts in each database: codes, ends, races."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.db import host_sessions
from vestibule.db.engine import database
from vestibule.db.host_sessions import Code
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.session import EndReason

pytestmark = pytest.mark.usefixtures("any_database")

CODE = Code(digest_of("code"), "app.example.com", digest_of("state"))
HOST_ID = "host.secret"


def parent(session_id: str = "parent") -> UserSession:
    """Store the session of a sign-in host."""
    session = UserSession(user_id="amy", session_id=session_id)
    session.save()
    return session


def handed(session: UserSession, host_id: str = HOST_ID) -> None:
    """Give the application's host a session that hangs on this one."""
    now = clock.now()
    assert host_sessions.add_code(CODE, session.id, "/page", now)
    path = host_sessions.redeem_code(CODE, digest_of(host_id), now)
    assert path == "/page"


def rows(table: str) -> int:
    """Return the number of rows of a table."""
    return int(
        database().fetch_all(text(f"SELECT count(*) FROM {table}"))[0][0]
    )


def test_session_of_a_host_is_its_parent() -> None:
    """It is found with the host, and has the data of the parent."""
    session = parent()
    handed(session)
    found = UserSession.find(HOST_ID)
    assert found is not None and found == session
    assert (found.id, found.host) == (session.id, "app.example.com")
    direct = UserSession.find("parent")
    assert direct is not None and direct.host is None
    assert UserSession.count() == 1
    assert host_sessions.hosts_by_parent([session.id, "other"]) == {
        session.id: ["app.example.com"]
    }


@pytest.mark.parametrize("ended", ["parent", HOST_ID])
def test_either_id_ends_both_and_leaves_the_reason(ended: str) -> None:
    """Nothing is left of the codes either."""
    session, store = parent(), DatabaseStore()
    handed(session)
    assert host_sessions.add_code(CODE, session.id, "/", clock.now())
    assert store.end(ended, EndReason.LOGGED_OUT)
    assert not store.end(ended, EndReason.REVOKED)
    for secret in ("parent", HOST_ID):
        assert store.find(secret) is None
        assert store.reason(secret) is EndReason.LOGGED_OUT
    assert rows("host_sessions") == rows("host_codes") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM user_sessions",
        "DELETE FROM host_sessions",
        "UPDATE host_sessions SET session_digest = 'another'",
    ],
)
def test_writes_of_other_programs_count(statement: str) -> None:
    """The session is gone, and the session cache notices it."""
    handed(parent())
    before = database().change_token()
    with database().transaction() as connection:
        connection.execute(text(statement))
    assert UserSession.find(HOST_ID) is None
    assert before is None or database().change_token() != before


def test_use_is_a_use_of_the_parent(set_clock: SetClock) -> None:
    """It is seen at once here, and stored for other processes."""
    session, store = parent(), DatabaseStore()
    handed(session)
    set_clock.advance(300)
    store.touch(HOST_ID, set_clock.now())
    found = store.find("parent")
    assert found is not None and found.last_seen_at == set_clock.now()
    store.touch("host.unknown", set_clock.now())


@pytest.mark.parametrize(
    "wrong",
    [
        CODE._replace(digest=digest_of("other")),
        CODE._replace(host="wiki.example.org"),
        CODE._replace(state=digest_of("other")),
    ],
)
def test_code_is_bound_and_a_wrong_use_leaves_it(wrong: Code) -> None:
    """The right browser can use it afterwards, once."""
    session, now = parent(), clock.now()
    assert host_sessions.add_code(CODE, session.id, "/page", now)
    assert host_sessions.redeem_code(wrong, digest_of("host.a"), now) is None
    assert rows("host_sessions") == 0
    assert host_sessions.redeem_code(CODE, digest_of(HOST_ID), now) == "/page"
    assert host_sessions.redeem_code(CODE, digest_of("host.b"), now) is None


def test_code_lives_for_a_minute() -> None:
    """The last moment counts as too late; the sweeper deletes it."""
    session, now = parent(), clock.now()
    assert host_sessions.add_code(CODE, session.id, "/page", now)
    late = now + timedelta(seconds=60)
    assert host_sessions.return_path(CODE.digest, CODE.host, now) == "/page"
    assert host_sessions.return_path(CODE.digest, CODE.host, late) is None
    assert host_sessions.redeem_code(CODE, digest_of(HOST_ID), late) is None
    host_sessions.purge_codes(now)
    assert rows("host_codes") == 1
    host_sessions.purge_codes(late)
    assert rows("host_codes") == 0


def test_code_needs_a_session() -> None:
    """A session that has ended gets none."""
    assert not host_sessions.add_code(CODE, "unknown", "/", clock.now())


def test_sessions_of_one_host_are_limited() -> None:
    """The newest ones stay."""
    session = parent()
    for number in range(7):
        handed(session, f"host.{number}")
    assert rows("host_sessions") == host_sessions.MAX_SESSIONS_PER_HOST
    assert UserSession.find("host.6") is not None


def test_code_used_at_once_is_used_once() -> None:
    """One of eight threads gets the path, and one session is stored."""
    session, now = parent(), clock.now()
    assert host_sessions.add_code(CODE, session.id, "/page", now)
    found = at_once(
        8,
        lambda number: host_sessions.redeem_code(
            CODE, digest_of(f"host.{number}"), now
        ),
    )
    assert sorted(map(str, found)) == ["/page", *["None"] * 7]
    assert rows("host_sessions") == 1


def test_end_during_hand_overs_leaves_no_session() -> None:
    """Whichever comes first, no host has a session afterwards."""
    store = DatabaseStore()
    for turn in range(5):
        session, now = parent(f"parent {turn}"), clock.now()
        codes = [
            CODE._replace(digest=digest_of(f"{turn} {number}"))
            for number in range(4)
        ]
        for code in codes:
            assert host_sessions.add_code(code, session.id, "/", now)

        def act(
            number: int,
            codes: list[Code] = codes,
            turn: int = turn,
        ) -> object:
            """End the session, or use one of its codes."""
            if number == 2:
                return store.end(f"parent {turn}", EndReason.LOGGED_OUT)
            return host_sessions.redeem_code(
                codes[number - (number > 2)],
                digest_of(f"host.{turn} {number}"),
                clock.now(),
            )

        assert at_once(5, act)[2] is True
        assert rows("host_sessions") == rows("host_codes") == 0

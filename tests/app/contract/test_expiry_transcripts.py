#!/usr/bin/env python3
"""Expiry and restarts of sessions, by curl."""

import time

import pytest

from tests.app.contract.transcript import ADD_BOB, ask, error
from tests.conftest import Serve
from tests.serving import COOKIE, DB_SESSIONS, ME, Server

#: Creates sessions whose id is their age in seconds.
ADD_OLD_SESSIONS = """
import sys
from datetime import datetime, timedelta, timezone
from models.user_session import UserSession
for age in sys.argv[2:]:
    began = datetime.now(timezone.utc) - timedelta(seconds=int(age))
    UserSession(
        user_id=sys.argv[1], session_id=age, created_at=began
    ).save()
"""
ENDED = (403, error("Forbidden"))
DURATION = 2


def cookie(session_id: str) -> tuple[str, str]:
    """Return the curl options that send this session's cookie."""
    return "-b", f"{COOKIE}={session_id}"


@pytest.mark.parametrize("auth_type", ["session_exp_auth", "session_db_auth"])
def test_session_ends_after_duration(auth_type: str, serve: Serve) -> None:
    """The session works within its duration and not after it."""
    server = serve(
        AUTH_TYPE=auth_type,
        SESSION_NAME=COOKIE,
        SESSION_DURATION=str(DURATION),
    )
    server.run(ADD_BOB)
    before = time.monotonic()
    mine = cookie(server.login("bobsession@hbtn.io", "fake pwd"))
    after = time.monotonic()
    seen = []
    while time.monotonic() < after + DURATION + 0.2:
        status, body = ask(server, ME, *mine)
        if time.monotonic() < before + DURATION:
            assert status == 200
            seen.append(status)
        if status != 200:
            assert (status, body) == ENDED
            assert time.monotonic() > before + DURATION
        time.sleep(0.1)
    assert len(seen) > 5
    assert ask(server, ME, *mine) == ENDED
    again = cookie(server.login("bobsession@hbtn.io", "fake pwd"))
    assert ask(server, ME, *again)[0] == 200


def test_invalid_duration_means_no_end_and_a_warning(serve: Serve) -> None:
    """A `SESSION_DURATION` that is no integer sets no limit."""
    server = serve(
        **DB_SESSIONS,
        SESSION_DURATION="1.5",
    )
    user_id = server.run(ADD_BOB).strip()
    mine = cookie(server.login("bobsession@hbtn.io", "fake pwd"))
    assert ask(server, ME, *mine)[0] == 200
    server.run(ADD_OLD_SESSIONS, user_id, "100000000")
    assert ask(server, ME, *cookie("100000000"))[0] == 200
    assert "WARNING" in (said := "".join(server.output))
    assert "SESSION_DURATION is not an integer" in said
    assert "sessions never expire" in said


def test_session_survives_restart_within_duration(
    serve_shared: Serve, stored_in: dict[str, str]
) -> None:
    """With 60 seconds, an age of 10 gives 200 and 61 gives 403, also after a
    restart.
    """
    server = serve_shared(
        **DB_SESSIONS,
        SESSION_DURATION="60",
        **stored_in,
    )
    user_id = server.run(ADD_BOB).strip()
    server.run(ADD_OLD_SESSIONS, user_id, "10", "61")
    session_id = server.login("bobsession@hbtn.io", "fake pwd")

    def check(server: Server) -> None:
        """Check which sessions are valid."""
        for live in (session_id, "10"):
            status, body = ask(server, ME, *cookie(live))
            assert status == 200
            assert f'"id": "{user_id}"' in body
        assert ask(server, ME, *cookie("61")) == ENDED

    check(server)
    assert server.stop() == 0
    server.start()
    check(server)
    logout = "/api/v1/auth_session/logout"
    assert ask(server, logout, "-XDELETE", *cookie(session_id)) == (
        200,
        "{}\n",
    )
    assert ask(server, ME, *cookie(session_id)) == ENDED
    assert server.kill() != 0
    server.start()
    assert ask(server, ME, *cookie(session_id)) == ENDED


def test_sessions_in_memory_end_with_server(serve: Serve) -> None:
    """Only the database keeps a session over a restart."""
    server = serve(AUTH_TYPE="session_auth", SESSION_NAME=COOKIE)
    server.run(ADD_BOB)
    mine = cookie(server.login("bobsession@hbtn.io", "fake pwd"))
    assert ask(server, ME, *mine)[0] == 200
    server.stop()
    server.start()
    assert ask(server, ME, *mine) == ENDED

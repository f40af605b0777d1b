#!/usr/bin/env python3
"""Expiry and restarts of sessions, by curl."""

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


def cookie(session_id: str) -> tuple[str, str]:
    """Return the curl options that send this session's cookie."""
    return "-b", f"{COOKIE}={session_id}"


def test_session_survives_restart_within_duration(
    serve: Serve,
) -> None:
    """With 60 seconds, an age of 10 gives 200 and 61 gives 403, also after a
    restart.
    """
    server = serve(**DB_SESSIONS, SESSION_DURATION="60")
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

#!/usr/bin/env python3
"""The transcripts of the session mechanisms: scripts, then curl."""

import json
from pathlib import Path

import pytest
from werkzeug.exceptions import MethodNotAllowed

from tests.app.contract.transcript import (
    ADD_BOB,
    ask,
    curl,
    error,
    masked,
    session_cookie,
    user_text,
)
from tests.conftest import Serve
from tests.serving import (
    COOKIE,
    LOGIN,
    LOGOUT,
    ME,
    environment,
    run_python,
)

BOB = user_text("bobsession@hbtn.io")
PAGE = (405, MethodNotAllowed().get_body())


DICTIONARY = """
from api.v1.auth.session_auth import SessionAuth

sa = SessionAuth()
print("{}: {}".format(
    type(sa.user_id_by_session_id), sa.user_id_by_session_id))
for user_id in (None, 89):
    print("{} => {}: {}".format(
        user_id, sa.create_session(user_id), sa.user_id_by_session_id))
made = []
for user_id in ("abcde", "fghij", "abcde"):
    made.append(sa.create_session(user_id))
    print("{} => {}: {}".format(
        user_id, made[-1], sa.user_id_by_session_id))
for session_id in (None, 89, "doesntexist", *made):
    print("{} => {}".format(
        session_id, sa.user_id_for_session_id(session_id)))
"""


def test_script_creates_sessions_in_dictionary(tmp_path: Path) -> None:
    """A script creates sessions and finds their users."""
    said = run_python(DICTIONARY, tmp_path, environment(tmp_path))
    one = "'<id>': 'abcde'"
    two = f"{one}, '<id>': 'fghij'"
    assert masked(said).splitlines() == [
        "<class 'dict'>: {}",
        "None => None: {}",
        "89 => None: {}",
        f"abcde => <id>: {{{one}}}",
        f"fghij => <id>: {{{two}}}",
        f"abcde => <id>: {{{two}, {one}}}",
        "None => None",
        "89 => None",
        "doesntexist => None",
        "<id> => abcde",
        "<id> => fghij",
        "<id> => abcde",
    ]
    ids = [line.split()[2].rstrip(":") for line in said.splitlines()[3:6]]
    assert len(set(ids)) == 3
    assert [line.split()[0] for line in said.splitlines()[9:]] == ids


@pytest.mark.parametrize("kind", ["session_auth", "session_db_auth"])
def test_login_and_logout_transcript(
    request: pytest.FixtureRequest, serve: Serve, kind: str
) -> None:
    """Each step of logging in and out, in the order of the transcript.

    The sessions are in memory, or in PostgreSQL.
    """
    given = {"AUTH_TYPE": kind, "SESSION_NAME": COOKIE, "THROTTLE": "on"}
    if kind == "session_db_auth":
        given["DATABASE_URL"] = request.getfixturevalue("on_postgresql")
    server = serve(**given)
    user_id = server.run(ADD_BOB).strip()
    bob = ("-d", "email=bobsession@hbtn.io")
    right = (*bob, "-d", "password=fake pwd")
    assert ask(server, LOGIN) == PAGE
    assert ask(server, LOGIN, "-XPOST") == (400, error("email missing"))
    assert ask(server, LOGIN, *bob) == (400, error("password missing"))
    assert ask(server, LOGIN, "-d", "email=test", "-d", "password=test") == (
        404,
        error("no user found for this email"),
    )
    assert ask(server, LOGIN, *bob, "-d", "password=test") == (
        401,
        error("wrong password"),
    )
    answer = curl(server.url + LOGIN, *right)
    assert (answer.status, masked(answer.body)) == (200, BOB)
    assert json.loads(answer.body)["id"] == user_id
    session_id = session_cookie(answer.values("Set-Cookie"))
    cookie = ("--cookie", f"{COOKIE}={session_id}")
    assert ask(server, ME, *cookie) == (200, answer.body)
    assert ask(server, LOGOUT, *cookie) == PAGE
    left = curl(server.url + LOGOUT, *cookie, "-XDELETE")
    assert (left.status, left.body) == (200, "{}\n")
    assert left.values("Set-Cookie") == [
        f"{COOKIE}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0;"
        " HttpOnly; Path=/; SameSite=Lax"
    ]
    for path, method in ((ME, "GET"), (LOGOUT, "DELETE"), (LOGOUT, "GET")):
        assert ask(server, path, *cookie, "-X", method) == (
            403,
            error("Forbidden"),
        )

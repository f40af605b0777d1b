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
    Server,
    environment,
    run_python,
)

#: The valid Basic header of that user.
BASIC = "Authorization: Basic Ym9ic2Vzc2lvbkBoYnRuLmlvOmZha2UgcHdk"
BOB = user_text("bobsession@hbtn.io")
PAGE = (405, MethodNotAllowed().get_body())
OK = (200, '{\n  "status": "OK"\n}\n')


@pytest.fixture(
    scope="module",
    params=["session_auth", "session_db_auth", "session_db_auth postgresql"],
)
def served(
    request: pytest.FixtureRequest, serve_shared: Serve
) -> tuple[Server, str]:
    """Run a server on each kind of store; return it and its user's id."""
    auth_type, _, backend = request.param.partition(" ")
    url = request.getfixturevalue("fresh_postgresql") if backend else {}
    server = serve_shared(AUTH_TYPE=auth_type, SESSION_NAME=COOKIE, **url)
    return server, server.run(ADD_BOB).strip()


def test_filter_works_without_session_name(serve: Serve) -> None:
    """`session_auth` without `SESSION_NAME` still filters requests."""
    server = serve(AUTH_TYPE="session_auth")
    assert ask(server, "/api/v1/status") == OK
    assert ask(server, "/api/v1/status/") == OK
    assert ask(server, "/api/v1/users") == (401, error("Unauthorized"))
    assert ask(server, "/api/v1/users", "-H", "Authorization: Test") == (
        403,
        error("Forbidden"),
    )
    assert ask(server, ME, "-b", f"{COOKIE}=abcde") == (
        401,
        error("Unauthorized"),
    )


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


def test_invalid_credentials_are_refused(served: tuple[Server, str]) -> None:
    """No cookie: 401. A valid Basic header or an unknown cookie: 403."""
    server, _ = served
    unknown = f"{COOKIE}=5535d4d7-3d77-4d06-8281-495dc3acfe76"
    assert ask(server, ME) == (401, error("Unauthorized"))
    for wrong in (
        ("-H", BASIC),
        ("-H", "Authorization: Test"),
        ("-b", unknown),
        ("-b", unknown, "-H", BASIC),
    ):
        assert ask(server, ME, *wrong) == (403, error("Forbidden"))
    assert ask(server, ME, "-b", f"{COOKIE}_fake=abcde") == (
        401,
        error("Unauthorized"),
    )


def test_login_and_logout_transcript(served: tuple[Server, str]) -> None:
    """Each step of logging in and out, in the order of the transcript."""
    server, user_id = served
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


def test_logout_ends_one_session_only(served: tuple[Server, str]) -> None:
    """The user's other session stays valid."""
    server, user_id = served
    ids = [server.login("bobsession@hbtn.io", "fake pwd") for _ in range(2)]
    assert ids[0] != ids[1]
    first, second = (("-b", f"{COOKIE}={one}") for one in ids)
    assert ask(server, LOGOUT, *first, "-XDELETE") == (200, "{}\n")
    assert ask(server, ME, *first) == (403, error("Forbidden"))
    status, body = ask(server, ME, *second, "-H", "Authorization: Test")
    assert (status, json.loads(body)["id"]) == (200, user_id)

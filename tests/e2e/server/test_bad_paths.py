#!/usr/bin/env python3
"""Paths, ids and methods that try to get around the filter or the router."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD, SharedServers
from tests.e2e.server.server_state import defect_lines, rows_of
from tests.e2e.server.test_bad_bodies import new_user_body, refused
from tests.e2e.server.wire import JSON, ask
from tests.serving import COOKIE

METHODS = [
    "GET",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "FOO",
]
DETOURS = [
    b"/api/v1/status_admin",
    b"/api/v1/statusx",
    b"/api/v1/auth_session/loginX",
    b"/api/v1/auth_session/login/../../users",
    b"//api/v1/users",
    b"/api//v1/users",
    b"/api/v1//users",
    b"/api/v1/users//",
    b"/api/v1/./users",
    b"/api/v1/status/../users",
    b"/api/v1/status/%2e%2e/users",
    b"/api/v1/status/..%2fusers",
    b"/api/v1/status%2f..%2fusers",
    b"/api/v1/status;/../users",
    b"/api/v1/users;x",
    b"/api/v1/users%20",
    b"/api/v1/users%00",
    b"/api/v1/users%0a",
    b"/api/v1/users%3f",
    b"/api/v1/users?/api/v1/status",
    b"/api/v1/users#/api/v1/status/",
    b"/api/v1/%75sers",
    b"/API/v1/users",
    b"/api/v1/users",
    b"/api/v1/users/",
    b"/api/v1/users/me",
    b"/api/v1/stats",
    b"http://other/api/v1/users",
    b"http://other/api/v1/status/../users",
]
VERIFY = b"/api/v1/auth_session/verify"
#: What is not quite verify: a proxy that takes it for that lets nobody in.
NEAR_VERIFY = [
    b"/" + VERIFY,
    VERIFY + b"//",
    VERIFY + b";x",
    VERIFY + b";/..",
    VERIFY + b"%00",
    VERIFY + b"%20",
    VERIFY + b"%0a",
    VERIFY + b"%3f",
    VERIFY + b"%ff",
    VERIFY + b"%2576",
    VERIFY + b"/.",
    VERIFY + b"/x",
    VERIFY + b"x",
    VERIFY + b"x" * 10_000,
    VERIFY + b"/" * 10_000,
    b"/" + b"x" * 10_000 + VERIFY,
    b"/API/v1/auth_session/verify",
    b"/api/v1/auth_session/VERIFY",
    b"/api/v1/auth_session//verify",
    b"/api/v1/x/../auth_session/verify",
    b"/api/v1/./auth_session/verify",
    b"/api/v1/x/%2e%2e/auth_session/verify",
    b"/api/v1/x/..%2fauth_session/verify",
    b"/api/v1/status/../auth_session/verify",
    b"/api/v1/auth_session/login/../verify",
    b"/api/v1/auth_session/%2576erify",
    b"/api/v1/nothing?" + VERIFY,
    b"/api/v1/nothing#" + VERIFY,
    b"http://other/x/.." + VERIFY,
]
#: What is verify, for it is the same once it is decoded.
ENCODED_VERIFY = [
    b"/api/v1/auth_session/%76erify",
    b"/api/v1/auth_session%2fverify",
    b"/%61pi/v1/auth_session/verify%2F",
    b"http://other" + VERIFY,
    VERIFY + b"?" + b"x" * 10_000,
    VERIFY + b"#/api/v1/status",
]
BASIC = b"Authorization: Basic " + base64.b64encode(
    f"{EMAIL}:{PASSWORD}".encode()
)
#: Ids that stand for nobody.
NOBODIES = [
    b"%00",
    b"..",
    b"%2e%2e",
    b".",
    b"%2F",
    b"a/b",
    b"a%2Fb",
    b"..%2f..",
    b"a" * 10_000,
    b"%ff%fe",
    b"%ed%a0%80",
    b"%c0%af",
    b"%",
    b"%zz",
    b"me%00",
    b"USER%00",
    b"USER%20",
    b"%20USER",
    b"USER;x",
    b"USER/x",
    b"USER//",
    b"' OR '1'='1".replace(b" ", b"%20"),
    b"%27%20OR%201=1--",
    b"*",
    b"USER%0a",
    b"None",
    b"null",
    b"0",
]


@pytest.mark.parametrize("target", [*DETOURS, *NEAR_VERIFY])
@pytest.mark.usefixtures("untouched")
def test_no_detour_leads_past_the_filter(
    house: SharedServers, target: bytes
) -> None:
    """Without a credential each path and method is refused."""
    for method in METHODS:
        for server in (house.sessions, house.basic):
            answer = ask(server.port, method, target)
            assert answer.status in (401, 403, 404, 405), (method, answer)
            assert EMAIL.encode() not in answer.body
            assert house.user_id.encode() not in answer.body
            assert b"Traceback" not in answer.body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", NEAR_VERIFY)
@pytest.mark.usefixtures("untouched")
def test_what_is_near_verify_lets_nobody_in(
    house: SharedServers, target: bytes, method: str
) -> None:
    """Whoever asks is answered as for any path that there is not."""
    for server, given, status in (
        (house.sessions, [], 401),
        (house.sessions, [house.cookie], 404),
        (house.basic, [], 401),
        (house.basic, [BASIC], 404),
    ):
        answer = ask(server.port, method, target, given)
        nothing = ask(server.port, method, b"/api/v1/nothing", given)
        assert (answer.status, answer.body) == (status, nothing.body)
        assert not {
            "location",
            "remote-user",
            "remote-email",
            "remote-groups",
        } & set(answer.headers)


@pytest.mark.parametrize("target", ENCODED_VERIFY)
@pytest.mark.usefixtures("untouched")
def test_verify_by_another_spelling(
    house: SharedServers, target: bytes
) -> None:
    """It asks for what verify asks for, and names whoever has that."""
    for server, right in (
        (house.sessions, house.cookie),
        (house.basic, BASIC),
    ):
        assert ask(server.port, "GET", target).status == 401
        answer = ask(server.port, "GET", target, [right])
        assert answer.status == 200
        assert answer.headers["remote-user"] == house.user_id


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT"])
@pytest.mark.parametrize("target", [b"/api/v1/users", b"*"])
@pytest.mark.usefixtures("untouched")
def test_no_other_method_lists_users(
    house: SharedServers, method: str, target: bytes
) -> None:
    """Methods beside `GET` give no list, with a credential either."""
    answer = ask(house.sessions.port, method, target, [house.cookie])
    assert answer.status in (200, 400, 404, 405)
    assert EMAIL.encode() not in answer.body


@pytest.mark.usefixtures("untouched")
def test_trace_does_not_repeat_the_cookie(house: SharedServers) -> None:
    """A script that traces a request must not read its cookie there."""
    for target in (b"/api/v1/status", b"/api/v1/users"):
        answer = ask(house.sessions.port, "TRACE", target, [house.cookie])
        assert answer.status == 405
        assert house.session_id.encode() not in answer.body


@pytest.mark.parametrize("nobody", NOBODIES)
@pytest.mark.usefixtures("untouched")
def test_an_id_of_nobody_is_not_found(
    house: SharedServers, nobody: bytes
) -> None:
    """Whatever stands for an id is looked up as it is, and not found."""
    user_id = nobody.replace(b"USER", house.user_id.encode())
    target = b"/api/v1/users/" + user_id
    body = b'{"first_name": "changed"}'
    for method in ("GET", "PUT", "DELETE"):
        answer = ask(
            house.sessions.port, method, target, [house.cookie, JSON], body
        )
        assert refused(answer, 404) == "Not found"


@pytest.mark.parametrize(
    "user_id", [b"\xff\xfe", b" a", b"a\x00", b"a\rb", "é".encode()]
)
@pytest.mark.usefixtures("untouched")
def test_a_path_of_raw_bytes_is_no_request(
    house: SharedServers, user_id: bytes
) -> None:
    """Bytes that a path may not have are refused before anything else."""
    target = b"/api/v1/users/" + user_id
    answer = ask(house.sessions.port, "DELETE", target, [house.cookie])
    assert answer.status in (400, 404)


@pytest.mark.parametrize("target", [b"/api/v1/status", b"/api/v1/nothing"])
@pytest.mark.usefixtures("untouched")
def test_a_long_query_changes_nothing(
    house: SharedServers, target: bytes
) -> None:
    """A query is not read, so a strange one has no effect."""
    for query in (b"?" + b"a=b&" * 2_000, b"?%00%ff", b"?email=\xff"):
        answer = ask(house.sessions.port, "GET", target + query)
        assert answer.status in (200, 400, 401, 404)


def test_fifty_at_once_make_one_account(serve: Serve) -> None:
    """Of parallel requests for one email exactly one is answered by 201."""
    server = serve(
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        BLOCKING_THREADS="128",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    cookie = f"Cookie: {COOKIE}={server.login(EMAIL, PASSWORD)}".encode()

    def add(number: int) -> tuple[int, bytes]:
        """Ask for the account; the email is spelled in several ways."""
        email = "New@hbtn.io" if number % 2 else " new@HBTN.io "
        answer = ask(
            server.port,
            "POST",
            b"/api/v1/users",
            [cookie, JSON],
            new_user_body(email=email),
        )
        return answer.status, answer.body

    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(add, range(50)))
    assert [status for status, _ in answers].count(201) == 1
    assert {
        json.loads(body)["error"] for status, body in answers if status == 400
    } == {"Can't create User: email is already registered"}
    assert {status for status, _ in answers} == {201, 400}
    assert len(rows_of(server.folder)["users"]) == 2
    assert server.stop() == 0
    assert defect_lines(server) == []

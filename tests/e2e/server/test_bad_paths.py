#!/usr/bin/env python3
"""Paths, ids and methods that try to bypass the filter or the router."""

import base64

import pytest

from tests.e2e.server.conftest import EMAIL, PASSWORD, SharedServers
from tests.e2e.server.wire import ask

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
#: Paths that resemble verify but must not act like it.
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
#: Other spellings of verify's path, equal to it when decoded.
ENCODED_VERIFY = [
    b"/api/v1/auth_session/%76erify",
    b"/api/v1/auth_session%2fverify",
    b"/%61pi/v1/auth_session/verify%2F",
    b"http://other" + VERIFY,
    VERIFY + b"?redirect=off",
    VERIFY + b"#/api/v1/status",
]
BASIC = b"Authorization: Basic " + base64.b64encode(
    f"{EMAIL}:{PASSWORD}".encode()
)


@pytest.mark.parametrize("target", [*DETOURS, *NEAR_VERIFY])
@pytest.mark.usefixtures("untouched")
def test_path_tricks_do_not_bypass_authentication(
    servers: SharedServers, target: bytes
) -> None:
    """Without a credential each path and method is refused."""
    for method in METHODS:
        for server in (servers.session, servers.basic):
            answer = ask(server.port, method, target)
            assert answer.status in (401, 403, 404, 405), (method, answer)
            assert EMAIL.encode() not in answer.body
            assert servers.user_id.encode() not in answer.body
            assert b"Traceback" not in answer.body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", NEAR_VERIFY)
@pytest.mark.usefixtures("untouched")
def test_path_near_verify_is_not_verify(
    servers: SharedServers, target: bytes, method: str
) -> None:
    """The response is that of an unknown path."""
    for server, given, status in (
        (servers.session, [], 401),
        (servers.session, [servers.cookie], 404),
        (servers.basic, [], 401),
        (servers.basic, [BASIC], 404),
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
def test_encoded_verify_path_is_verify(
    servers: SharedServers, target: bytes
) -> None:
    """It needs the same credential and names the same user."""
    for server, right in (
        (servers.session, servers.cookie),
        (servers.basic, BASIC),
    ):
        assert ask(server.port, "GET", target).status == 401
        answer = ask(server.port, "GET", target, [right])
        assert answer.status == 200
        assert answer.headers["remote-user"] == servers.user_id


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT"])
@pytest.mark.parametrize("target", [b"/api/v1/users", b"*"])
@pytest.mark.usefixtures("untouched")
def test_other_methods_do_not_list_users(
    servers: SharedServers, method: str, target: bytes
) -> None:
    """Only `GET` returns the list, even with a credential."""
    answer = ask(servers.session.port, method, target, [servers.cookie])
    assert answer.status in (200, 400, 404, 405)
    assert EMAIL.encode() not in answer.body


@pytest.mark.usefixtures("untouched")
def test_trace_does_not_reflect_the_cookie(servers: SharedServers) -> None:
    """TRACE must not show an HttpOnly cookie to a script."""
    for target in (b"/api/v1/status", b"/api/v1/users"):
        answer = ask(servers.session.port, "TRACE", target, [servers.cookie])
        assert answer.status == 405
        assert servers.session_id.encode() not in answer.body


@pytest.mark.parametrize(
    "user_id", [b"\xff\xfe", b" a", b"a\x00", b"a\rb", "é".encode()]
)
@pytest.mark.usefixtures("untouched")
def test_raw_bytes_in_path_are_refused(
    servers: SharedServers, user_id: bytes
) -> None:
    """Bytes that a path must not contain are refused."""
    target = b"/api/v1/users/" + user_id
    answer = ask(servers.session.port, "DELETE", target, [servers.cookie])
    assert answer.status in (400, 404)

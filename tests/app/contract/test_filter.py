#!/usr/bin/env python3
"""Access to each route under each mechanism."""

import json

import pytest
from werkzeug.exceptions import MethodNotAllowed

from tests.app.contract.transcript import (
    curl,
    error,
    masked,
    reply,
    session_cookie,
    user_text,
)
from tests.conftest import Serve
from tests.serving import COOKIE, LOGIN, LOGOUT, ME, Server

ADD_BOB = """
from models.user import User
user = User(email="bob@hbtn.io", first_name="Bob")
user.password = "a:b: c"
user.save()
print(user.id)
"""
COUNT_SESSIONS = """
from models.user_session import UserSession
print(UserSession.count())
"""
BASIC = ("bob@hbtn.io", "a:b: c")
FORM = {"email": "bob@hbtn.io", "password": "a:b: c"}
UNAUTHORIZED = (401, error("Unauthorized"))
FORBIDDEN = (403, error("Forbidden"))
NOT_FOUND = (404, error("Not found"))
SESSION_TYPES = ["session_auth", "session_exp_auth", "session_db_auth"]
ALL_TYPES = ["auth", "basic_auth", *SESSION_TYPES]

slashes = pytest.mark.parametrize("slash", ["", "/"], ids=["plain", "slash"])
each_type = pytest.mark.parametrize("auth_type", ALL_TYPES)
each_session_type = pytest.mark.parametrize("auth_type", SESSION_TYPES)

Servers = dict[str, Server]


@pytest.fixture(scope="module")
def servers(serve_shared: Serve) -> Servers:
    """Run a server per mechanism, and one without, on one database."""
    running = {"none": serve_shared(SESSION_NAME=COOKIE)}
    running["none"].run(ADD_BOB)
    shared = running["none"].env["DATABASE_URL"]
    for auth_type in ALL_TYPES:
        running[auth_type] = serve_shared(
            AUTH_TYPE=auth_type, SESSION_NAME=COOKIE, DATABASE_URL=shared
        )
    return running


@slashes
@each_type
def test_open_paths_need_no_credential(
    servers: Servers, auth_type: str, slash: str
) -> None:
    """Four paths need no credential and ignore any."""
    server = servers[auth_type]
    login = 404 if auth_type in ("auth", "basic_auth") else 400
    for method, path, status in (
        ("GET", "/api/v1/status", 200),
        ("GET", "/api/v1/unauthorized", 401),
        ("GET", "/api/v1/forbidden", 403),
        ("POST", LOGIN, login),
        ("GET", LOGIN, 405),
        ("POST", "/api/v1/status", 405),
    ):
        for headers in ({}, {"Authorization": "Test"}):
            response = server.request(method, path + slash, headers=headers)
            assert response.status_code == status


@slashes
@each_type
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/stats"),
        ("GET", "/api/v1/users"),
        ("POST", "/api/v1/users"),
        ("GET", ME),
        ("GET", "/api/v1/users/abcde"),
        ("PUT", "/api/v1/users/abcde"),
        ("DELETE", "/api/v1/users/abcde"),
        ("DELETE", LOGOUT),
        ("GET", LOGOUT),
        ("POST", "/api/v1/stats"),
        ("GET", "/api/v1/unknown"),
        ("GET", "/api/v1/statusx"),
        ("GET", "/api/v1/status/x"),
        ("GET", "/api/v1/auth_session"),
        ("GET", "/api/v1"),
        ("GET", "/unknown"),
    ],
)
def test_other_paths_need_a_credential(
    servers: Servers, auth_type: str, slash: str, method: str, path: str
) -> None:
    """All other paths: 401 without a credential, 403 with an invalid one."""
    server = servers[auth_type]
    path += slash
    assert reply(server.request(method, path)) == UNAUTHORIZED
    fake = {"Cookie": f"{COOKIE}_fake=abcde; other={COOKIE}"}
    assert reply(server.request(method, path, headers=fake)) == UNAUTHORIZED
    test = {"Authorization": "Test"}
    assert reply(server.request(method, path, headers=test)) == FORBIDDEN
    assert reply(server.request(method, path, cookie="abcde")) == FORBIDDEN


@each_type
def test_valid_basic_header_works_under_basic_auth_only(
    servers: Servers, auth_type: str
) -> None:
    """The password may contain colons."""
    response = servers[auth_type].request("GET", ME, auth=BASIC)
    if auth_type == "basic_auth":
        status, text = reply(response)
        assert status == 200
        assert masked(text) == user_text("bob@hbtn.io", '"Bob"')
    else:
        assert reply(response) == FORBIDDEN


def test_cookie_is_ignored_under_basic_auth(servers: Servers) -> None:
    """A cookie beside valid Basic credentials has no effect."""
    server = servers["basic_auth"]
    response = server.request("GET", ME, auth=BASIC, cookie="abcde")
    assert response.status_code == 200


@slashes
def test_every_route_is_open_without_mechanism(
    servers: Servers, slash: str
) -> None:
    """Without `AUTH_TYPE` every route responds, whatever is sent."""
    for headers in (
        {},
        {"Authorization": "Test"},
        {"Cookie": f"{COOKIE}=abcde"},
    ):
        for method, path, status in (
            ("GET", "/api/v1/stats", 200),
            ("GET", "/api/v1/users", 200),
            ("GET", ME, 404),
            ("DELETE", LOGOUT, 404),
            ("GET", LOGOUT, 405),
            ("POST", LOGIN, 404),
            ("GET", LOGIN, 405),
        ):
            response = servers["none"].request(
                method, path + slash, headers=headers
            )
            assert response.status_code == status


@slashes
@pytest.mark.parametrize("auth_type", ["auth", "basic_auth", "none"])
def test_login_is_not_found_without_sessions(
    servers: Servers, auth_type: str, slash: str
) -> None:
    """Mechanisms without sessions have neither login nor logout."""
    server = servers[auth_type]
    for form in ({}, {"email": "x"}, FORM):
        response = server.request("POST", LOGIN + slash, data=form)
        assert reply(response) == NOT_FOUND
        assert "Set-Cookie" not in response.headers
    left = server.request("DELETE", LOGOUT + slash, auth=BASIC)
    assert reply(left) == (FORBIDDEN if auth_type == "auth" else NOT_FOUND)


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        ({}, 400, "email missing"),
        ({"email": ""}, 400, "email missing"),
        ({"password": "a:b: c"}, 400, "email missing"),
        ({"email": "", "password": "a:b: c"}, 400, "email missing"),
        ({"email": "ann@hbtn.io"}, 400, "password missing"),
        ({"email": "bob@hbtn.io", "password": ""}, 400, "password missing"),
        (
            {"email": "ann@hbtn.io", "password": "a:b: c"},
            404,
            "no user found for this email",
        ),
        (
            {"email": "bob", "password": "a:b: c"},
            404,
            "no user found for this email",
        ),
        ({"email": "bob@hbtn.io", "password": "a"}, 401, "wrong password"),
        (
            {"email": "bob@hbtn.io", "password": "a:b: c "},
            401,
            "wrong password",
        ),
    ],
)
@slashes
@each_session_type
def test_refused_login_gives_reason(
    servers: Servers,
    auth_type: str,
    slash: str,
    form: dict[str, str],
    status: int,
    text: str,
) -> None:
    """Each reason has its status and text; no cookie is set."""
    response = servers[auth_type].request("POST", LOGIN + slash, data=form)
    assert reply(response) == (status, error(text))
    assert "Set-Cookie" not in response.headers


@each_session_type
def test_login_needs_a_form(servers: Servers, auth_type: str) -> None:
    """JSON and a query are no form; a multipart form is."""
    server = servers[auth_type]
    missing = (400, error("email missing"))
    assert reply(server.request("POST", LOGIN, json=FORM)) == missing
    assert reply(server.request("POST", LOGIN, params=FORM)) == missing
    parts = {name: (None, value) for name, value in FORM.items()}
    assert server.request("POST", LOGIN, files=parts).status_code == 200


@slashes
@each_session_type
def test_session_works_from_login_to_logout(
    servers: Servers, auth_type: str, slash: str
) -> None:
    """The login's cookie is valid until the logout."""
    server = servers[auth_type]
    form = {"email": "  BOB@hbtn.io", "password": "a:b: c"}
    response = server.request("POST", LOGIN + slash, data=form)
    status, text = reply(response)
    assert status == 200
    assert masked(text) == user_text("bob@hbtn.io", '"Bob"')
    mine = session_cookie([response.headers["Set-Cookie"]])
    me = ME + slash
    assert reply(server.request("GET", me, cookie=mine)) == (
        200,
        text,
    )
    user_id = json.loads(text)["id"]
    path = f"/api/v1/users/{user_id}{slash}"
    assert reply(server.request("GET", path, cookie=mine)) == (
        200,
        text,
    )
    for method, wrong in (("GET", LOGOUT), ("POST", ME)):
        page = curl(
            server.url + wrong + slash,
            "-X",
            method,
            "-b",
            f"{COOKIE}={mine}",
        )
        assert (page.status, page.body) == (405, MethodNotAllowed().get_body())
    unknown = server.request("GET", f"/api/v1/x{slash}", cookie=mine)
    assert reply(unknown) == NOT_FOUND
    for method in ("PUT", "DELETE"):
        named = server.request(method, me, cookie=mine, json={})
        assert reply(named) == NOT_FOUND
    left = server.request("DELETE", LOGOUT + slash, cookie=mine)
    assert reply(left) == (200, "{}\n")
    assert reply(server.request("GET", me, cookie=mine)) == FORBIDDEN
    again = server.request("DELETE", LOGOUT + slash, cookie=mine)
    assert reply(again) == FORBIDDEN


@each_session_type
def test_deleted_user_loses_sessions(servers: Servers, auth_type: str) -> None:
    """Removing a user, also by a script, ends its sessions at once."""
    server = servers[auth_type]
    server.run(ADD_BOB.replace("bob@", "gone@"))
    mine = server.login("gone@hbtn.io", "a:b: c")
    assert server.request("GET", ME, cookie=mine).status_code == 200
    server.run(
        "from models.user import User;"
        "User.search({'email': 'gone@hbtn.io'})[0].remove()"
    )
    assert reply(server.request("GET", ME, cookie=mine)) == FORBIDDEN
    assert reply(
        server.request(
            "POST", LOGIN, data={"email": "gone@hbtn.io", "password": "x"}
        )
    ) == (404, error("no user found for this email"))


@pytest.fixture(scope="module")
def nameless(serve_shared: Serve, servers: Servers) -> Server:
    """Run a server of `session_db_auth` without `SESSION_NAME`."""
    shared = servers["none"].env["DATABASE_URL"]
    return serve_shared(AUTH_TYPE="session_db_auth", DATABASE_URL=shared)


def test_login_without_session_name_gets_500(nameless: Server) -> None:
    """A valid login gets 500 and no session; others are refused as usual."""
    before = nameless.run(COUNT_SESSIONS)
    for form, status, text in (
        ({}, 400, "email missing"),
        ({"email": "bob@hbtn.io"}, 400, "password missing"),
        ({**FORM, "email": "x"}, 404, "no user found for this email"),
        ({**FORM, "password": "x"}, 401, "wrong password"),
        (FORM, 500, "SESSION_NAME is not set"),
    ):
        response = nameless.request("POST", LOGIN, data=form)
        assert reply(response) == (status, error(text))
        assert "Set-Cookie" not in response.headers
    assert nameless.run(COUNT_SESSIONS) == before
    assert reply(nameless.request("GET", ME, cookie="x")) == UNAUTHORIZED
    assert reply(nameless.request("GET", ME, auth=BASIC)) == FORBIDDEN

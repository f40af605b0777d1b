#!/usr/bin/env python3
"""Who gets past the filter, and to what, under each mechanism."""

import json

import pytest
from werkzeug.exceptions import MethodNotAllowed

from tests.app.contract.transcript import (
    curl,
    error,
    masked,
    said,
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
    """Run a server of each mechanism, and one of none, on one database."""
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
def test_open_paths(servers: Servers, auth_type: str, slash: str) -> None:
    """Four paths need no credential, and look at none."""
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
def test_guarded_paths(
    servers: Servers, auth_type: str, slash: str, method: str, path: str
) -> None:
    """All others: 401 without any credential, 403 with a useless one."""
    server = servers[auth_type]
    path += slash
    assert said(server.request(method, path)) == UNAUTHORIZED
    fake = {"Cookie": f"{COOKIE}_fake=abcde; other={COOKIE}"}
    assert said(server.request(method, path, headers=fake)) == UNAUTHORIZED
    test = {"Authorization": "Test"}
    assert said(server.request(method, path, headers=test)) == FORBIDDEN
    assert said(server.request(method, path, cookie="abcde")) == FORBIDDEN


@each_type
def test_the_right_basic_header(servers: Servers, auth_type: str) -> None:
    """It opens `basic_auth` alone, with colons in the password."""
    response = servers[auth_type].request("GET", ME, auth=BASIC)
    if auth_type == "basic_auth":
        status, text = said(response)
        assert status == 200
        assert masked(text) == user_text("bob@hbtn.io", '"Bob"')
    else:
        assert said(response) == FORBIDDEN


def test_a_cookie_beside_basic(servers: Servers) -> None:
    """Under `basic_auth` a cookie is no credential and does no harm."""
    server = servers["basic_auth"]
    response = server.request("GET", ME, auth=BASIC, cookie="abcde")
    assert response.status_code == 200


@slashes
def test_no_mechanism_opens_everything(servers: Servers, slash: str) -> None:
    """Without `AUTH_TYPE` every route answers, whatever is sent along."""
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
def test_login_where_there_are_no_sessions(
    servers: Servers, auth_type: str, slash: str
) -> None:
    """Login is not there, whatever the form has, and neither is logout."""
    server = servers[auth_type]
    for form in ({}, {"email": "x"}, FORM):
        response = server.request("POST", LOGIN + slash, data=form)
        assert said(response) == NOT_FOUND
        assert "Set-Cookie" not in response.headers
    left = server.request("DELETE", LOGOUT + slash, auth=BASIC)
    assert said(left) == (FORBIDDEN if auth_type == "auth" else NOT_FOUND)


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
def test_refused_logins(
    servers: Servers,
    auth_type: str,
    slash: str,
    form: dict[str, str],
    status: int,
    text: str,
) -> None:
    """Each reason has its status and text, and none sets a cookie."""
    response = servers[auth_type].request("POST", LOGIN + slash, data=form)
    assert said(response) == (status, error(text))
    assert "Set-Cookie" not in response.headers


@each_session_type
def test_only_a_form_logs_in(servers: Servers, auth_type: str) -> None:
    """JSON or a query has no form in it; a multipart form is one."""
    server = servers[auth_type]
    missing = (400, error("email missing"))
    assert said(server.request("POST", LOGIN, json=FORM)) == missing
    assert said(server.request("POST", LOGIN, params=FORM)) == missing
    parts = {name: (None, value) for name, value in FORM.items()}
    assert server.request("POST", LOGIN, files=parts).status_code == 200


@slashes
@each_session_type
def test_login_to_logout(servers: Servers, auth_type: str, slash: str) -> None:
    """The cookie of a login opens the routes until the logout."""
    server = servers[auth_type]
    form = {"email": "  BOB@hbtn.io", "password": "a:b: c"}
    response = server.request("POST", LOGIN + slash, data=form)
    status, text = said(response)
    assert status == 200
    assert masked(text) == user_text("bob@hbtn.io", '"Bob"')
    mine = session_cookie([response.headers["Set-Cookie"]])
    me = ME + slash
    assert said(server.request("GET", me, cookie=mine)) == (200, text)
    user_id = json.loads(text)["id"]
    path = f"/api/v1/users/{user_id}{slash}"
    assert said(server.request("GET", path, cookie=mine)) == (200, text)
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
    assert said(unknown) == NOT_FOUND
    for method in ("PUT", "DELETE"):
        named = server.request(method, me, cookie=mine, json={})
        assert said(named) == NOT_FOUND
    left = server.request("DELETE", LOGOUT + slash, cookie=mine)
    assert said(left) == (200, "{}\n")
    assert said(server.request("GET", me, cookie=mine)) == FORBIDDEN
    again = server.request("DELETE", LOGOUT + slash, cookie=mine)
    assert said(again) == FORBIDDEN


@each_session_type
def test_a_deleted_user_is_out(servers: Servers, auth_type: str) -> None:
    """Removing a user, by a script too, ends its sessions at once."""
    server = servers[auth_type]
    server.run(ADD_BOB.replace("bob@", "gone@"))
    mine = server.login("gone@hbtn.io", "a:b: c")
    assert server.request("GET", ME, cookie=mine).status_code == 200
    server.run(
        "from models.user import User;"
        "User.search({'email': 'gone@hbtn.io'})[0].remove()"
    )
    assert said(server.request("GET", ME, cookie=mine)) == FORBIDDEN
    assert said(
        server.request(
            "POST", LOGIN, data={"email": "gone@hbtn.io", "password": "x"}
        )
    ) == (404, error("no user found for this email"))


@pytest.fixture(scope="module")
def nameless(serve_shared: Serve, servers: Servers) -> Server:
    """Run a server of `session_db_auth` without `SESSION_NAME`."""
    shared = servers["none"].env["DATABASE_URL"]
    return serve_shared(AUTH_TYPE="session_db_auth", DATABASE_URL=shared)


def test_login_without_a_cookie_name(nameless: Server) -> None:
    """A login that would succeed answers 500 and makes no session; the
    others are refused as ever.
    """
    before = nameless.run(COUNT_SESSIONS)
    for form, status, text in (
        ({}, 400, "email missing"),
        ({"email": "bob@hbtn.io"}, 400, "password missing"),
        ({**FORM, "email": "x"}, 404, "no user found for this email"),
        ({**FORM, "password": "x"}, 401, "wrong password"),
        (FORM, 500, "SESSION_NAME is not set"),
    ):
        response = nameless.request("POST", LOGIN, data=form)
        assert said(response) == (status, error(text))
        assert "Set-Cookie" not in response.headers
    assert nameless.run(COUNT_SESSIONS) == before
    assert said(nameless.request("GET", ME, cookie="x")) == UNAUTHORIZED
    assert said(nameless.request("GET", ME, auth=BASIC)) == FORBIDDEN

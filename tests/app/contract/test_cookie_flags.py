#!/usr/bin/env python3
"""Cookies over TLS and with other names, and internal errors.

The tests run the application in a process of its own, because they need
requests that our server cannot receive over a socket.
"""

import json
from pathlib import Path

import pytest

from tests.app.contract.transcript import error, session_cookie
from tests.serving import environment, run_python

LOG_IN_AND_OUT = """
import json
from api.v1.app import app, auth
from models.user import User

user = User(email="bob@hbtn.io")
user.password = "fake pwd"
user.save()
client = app.test_client()
form = {"email": "bob@hbtn.io", "password": "fake pwd"}
for scheme in ("http", "https"):
    base = scheme + "://localhost"
    path = "/api/v1/auth_session/"
    first = client.post(path + "login", data=form, base_url=base)
    second = client.delete(path + "logout", base_url=base)
    print(json.dumps([first.status_code, first.text, first.headers.getlist(
        "Set-Cookie"), second.headers.getlist("Set-Cookie")]))
print(len(auth.user_id_by_session_id))
"""


def test_cookie_over_tls_is_secure(tmp_path: Path) -> None:
    """A request over TLS gets a `Secure` cookie with the configured name;
    logout clears it with the same flags.
    """
    env = environment(tmp_path, AUTH_TYPE="session_auth", SESSION_NAME="sid")
    plain, by_tls, number = run_python(
        LOG_IN_AND_OUT, tmp_path, env
    ).splitlines()
    _, _, (made,), (cleared,) = json.loads(plain)
    session_id = session_cookie([made], "sid")
    assert "Max-Age=0" in cleared
    assert "Secure" not in cleared
    _, _, (made,), (cleared,) = json.loads(by_tls)
    pair, *flags = made.split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]
    assert pair != f"sid={session_id}"
    assert {"Max-Age=0", "HttpOnly", "Path=/", "SameSite=Lax", "Secure"} < (
        set(cleared.split("; "))
    )
    assert number == "0"


@pytest.mark.parametrize("auth_type", ["session_auth", "session_exp_auth"])
def test_login_without_session_name_keeps_no_session(
    auth_type: str, tmp_path: Path
) -> None:
    """A login without `SESSION_NAME` leaves no session in memory."""
    env = environment(tmp_path, AUTH_TYPE=auth_type)
    *answers, number = run_python(LOG_IN_AND_OUT, tmp_path, env).splitlines()
    for line in answers:
        assert json.loads(line) == [
            500,
            error("SESSION_NAME is not set"),
            [],
            [],
        ]
    assert number == "0"


DEFECT = """
import json
from api.v1.app import app

@app.get("/api/v1/defect")
def defect():
    raise RuntimeError("a secret")

answer = app.test_client().get("/api/v1/defect")
print(json.dumps([answer.status_code, answer.text, answer.headers.getlist(
    "Access-Control-Allow-Origin"), answer.content_type]))
"""


def test_internal_error_reveals_nothing(tmp_path: Path) -> None:
    """An unexpected exception becomes a JSON 500 without details."""
    said = run_python(DEFECT, tmp_path, environment(tmp_path))
    assert json.loads(said) == [
        500,
        error("Internal Server Error"),
        ["*"],
        "application/json",
    ]

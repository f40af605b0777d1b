#!/usr/bin/env python3
"""Our mechanisms in other Flask applications, over a real socket."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.contract.transcript import curl, masked, user_text
from tests.ports import free_port
from tests.serving import COOKIE, environment

Program = Callable[..., str]

COOKIE_VALUE = """
import sys
from flask import Flask, request
from api.v1.auth.auth import Auth

auth = Auth()
app = Flask(__name__)


@app.route('/', methods=['GET'], strict_slashes=False)
def root_path():
    return "Cookie value: {}\\n".format(auth.session_cookie(request))

app.run(host="127.0.0.1", port=sys.argv[1])
"""
CURRENT_USER = """
import sys
from flask import Flask, request
from api.v1.auth.session_auth import SessionAuth
from models.user import User

user = User()
user.email = "bobsession@hbtn.io"
user.password = "fake pwd"
user.save()
sa = SessionAuth()
session_id = sa.create_session(user.id)
print("User with ID: {} has a Session ID: {}".format(user.id, session_id),
      flush=True)
app = Flask(__name__)


@app.route('/', methods=['GET'], strict_slashes=False)
def root_path():
    request_user = sa.current_user(request)
    if request_user is None:
        return "No user found\\n"
    return "User found: {}\\n".format(request_user.id)

app.run(host="127.0.0.1", port=sys.argv[1])
"""
OWN_COOKIE = """
import sys
import api.v1.app
from api.v1.auth.session_db_auth import SessionDBAuth
from models.user import User


class ByHeader(SessionDBAuth):
    def session_cookie(self, request=None):
        return None if request is None else request.headers.get("X-Session")

    def destroy_session(self, request=None):
        return request.args.get("really") and super().destroy_session(request)

user = User(email="bob@hbtn.io")
user.password = "fake pwd"
user.save()
api.v1.app.auth = auth = ByHeader()
print(user.id, auth.create_session(user.id), flush=True)
api.v1.app.create_app(auth).run(host="127.0.0.1", port=sys.argv[1])
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[tuple[Program, list[str]]]:
    """Return a function that starts a script, and the scripts' output."""
    started: list[subprocess.Popen[str]] = []
    output: list[str] = []

    def start(script: str) -> str:
        """Start the `script` and wait for its port; return its address."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(port)],
            cwd=tmp_path,
            env=environment(tmp_path, SESSION_NAME=COOKIE),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        output.append(process.stdout.readline())
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return f"http://127.0.0.1:{port}"
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise RuntimeError("the program does not listen")

    yield start, output
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


Running = tuple[Program, list[str]]


def test_session_cookie_reads_any_flask_request(program: Running) -> None:
    """The value is returned with its spaces."""
    url = program[0](COOKIE_VALUE)
    for options, value in (
        ((), "None"),
        (("--cookie", f"{COOKIE}=Hello"), "Hello"),
        (("--cookie", f"{COOKIE}=C is fun"), "C is fun"),
        (("--cookie", f"{COOKIE}_fake"), "None"),
        (("--cookie", f"{COOKIE}_fake=Hello"), "None"),
        (("--cookie", f"a=b; {COOKIE}=C is fun; c=d"), "C is fun"),
    ):
        answer = curl(f"{url}/", *options)
        assert (answer.status, answer.body) == (
            200,
            f"Cookie value: {value}\n",
        )


def test_current_user_works_in_any_flask_app(program: Running) -> None:
    """Only the session's cookie finds the user."""
    start, output = program
    url = start(CURRENT_USER)
    (line,) = output
    assert masked(line) == "User with ID: <id> has a Session ID: <id>\n"
    words = line.split()
    user_id, session_id = words[3], words[-1]
    for options, body in (
        ((), "No user found\n"),
        (("--cookie", f"{COOKIE}=Holberton"), "No user found\n"),
        (("--cookie", f"{COOKIE}_fake={session_id}"), "No user found\n"),
        (("--cookie", f"{COOKIE}={session_id}"), f"User found: {user_id}\n"),
    ):
        assert curl(f"{url}/", *options).body == body


def test_app_follows_custom_mechanism(program: Running) -> None:
    """The application uses a subclass's cookie, and responds with 404 if there
    is nothing to destroy.
    """
    start, output = program
    api = f"{start(OWN_COOKIE)}/api/v1"
    _, session_id = output[0].split()
    mine = ("-H", f"X-Session: {session_id}")
    assert curl(f"{api}/users/me").status == 401
    cookie = ("-b", f"{COOKIE}={session_id}")
    assert curl(f"{api}/users/me", *cookie).status == 401
    assert curl(f"{api}/users/me", "-H", "X-Session: x").status == 403
    answer = curl(f"{api}/users/me", *mine)
    assert (answer.status, masked(answer.body)) == (
        200,
        user_text("bob@hbtn.io"),
    )
    logout = f"{api}/auth_session/logout"
    left = curl(logout, "-XDELETE", *mine)
    assert (left.status, left.body) == (404, '{\n  "error": "Not found"\n}\n')
    assert left.values("Set-Cookie") == []
    assert curl(f"{api}/users/me", *mine).status == 200
    left = curl(f"{logout}?really=1", "-XDELETE", *mine)
    assert (left.status, left.body) == (200, "{}\n")
    assert curl(f"{api}/users/me", *mine).status == 403

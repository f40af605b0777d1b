#!/usr/bin/env python3
"""How the server starts and says so, or why it does not."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from api.v1.auth.auth import Auth
from api.v1.auth.basic_auth import BasicAuth
from api.v1.auth.session_auth import SessionAuth
from api.v1.auth.session_db_auth import SessionDBAuth
from api.v1.auth.session_exp_auth import SessionExpAuth
from tests.conftest import Serve
from tests.ports import free_port
from tests.serving import DB_SESSIONS, environment, run_python
from vestibule.core import settings
from vestibule.mechanisms import mechanism_for

KNOWN = [
    "auth",
    "basic_auth",
    "session_auth",
    "session_exp_auth",
    "session_db_auth",
]


def refused(folder: Path, **given: str) -> str:
    """Start a server that cannot start; return what it says of it."""
    done = subprocess.run(
        [sys.executable, "-m", "api.v1.app"],
        cwd=folder,
        env=environment(folder, **({"API_HOST": "127.0.0.1"} | given)),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "Running on" not in done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_line_that_says_it_runs(serve: Serve) -> None:
    """It stands alone on its line, and from then on there are answers."""
    server = serve(**DB_SESSIONS, SESSION_DURATION="60")
    assert [line for line in server.output if "Running" in line] == [
        f" * Running on http://127.0.0.1:{server.port}/\n"
    ]
    assert "session" not in "".join(server.output)
    assert server.request("GET", "/api/v1/status").status_code == 200
    assert server.stop() == 0
    with pytest.raises(requests.ConnectionError):
        server.request("GET", "/api/v1/status")


def test_where_it_listens_by_default() -> None:
    """Unset, it is every address, port 5000."""
    assert settings.API_HOST.read() == "0.0.0.0"
    assert settings.API_PORT.read() == 5000


@pytest.mark.parametrize("auth_type", ["session_db_aut", ""])
def test_an_unknown_mechanism(auth_type: str, tmp_path: Path) -> None:
    """A typing error ends the start, and the known names are listed."""
    said = refused(tmp_path, AUTH_TYPE=auth_type, API_PORT=str(free_port()))
    assert "AUTH_TYPE" in said
    assert repr(auth_type) in said
    assert ", ".join(KNOWN) in said


@pytest.mark.parametrize("port", ["http", "65536"])
def test_a_port_that_is_none(port: str, tmp_path: Path) -> None:
    """A port number that cannot be ends the start with a clear error."""
    said = refused(tmp_path, API_PORT=port)
    assert said == (
        "vestibule: API_PORT: must be a whole number from 1 to 65535,"
        f" not '{port}'\n"
    )


def test_a_port_in_use(serve: Serve, tmp_path: Path) -> None:
    """A second server on one port does not start beside the first."""
    first = serve()
    said = refused(tmp_path, API_PORT=str(first.port))
    assert f"port {first.port} is already in use" in said
    assert first.request("GET", "/api/v1/status").status_code == 200


def test_without_a_mechanism_it_says_so(serve: Serve) -> None:
    """An open house is worth a warning, and is open."""
    server = serve()
    assert "AUTH_TYPE is not set: every route is open" in "".join(
        server.output
    )
    assert server.request("GET", "/api/v1/users").status_code == 200


IMPORTED = """
import os, threading
from flask import Flask
from api.v1.app import app, auth
import api.v1.app as module
assert app is module.app and auth is module.auth
print(isinstance(app, Flask))
print(type(auth).__name__, threading.active_count(), os.listdir("."))
with app.test_client() as client:
    answer = client.get("/api/v1/status")
    print(answer.status_code, answer.json)
"""


@pytest.mark.parametrize(
    ("auth_type", "name"),
    [(None, "NoneType"), ("session_db_auth", "SessionDBAuth")],
)
def test_import(auth_type: str | None, name: str, tmp_path: Path) -> None:
    """Importing gives `app` and the mechanism, and starts nothing."""
    given = {} if auth_type is None else {"AUTH_TYPE": auth_type}
    said = run_python(IMPORTED, tmp_path, environment(tmp_path, **given))
    assert said == f"True\n{name} 1 []\n200 {{'status': 'OK'}}\n"


def test_each_name_has_its_mechanism() -> None:
    """No name leads to another's class, and none to no mechanism."""
    assert mechanism_for(None) is None
    assert [mechanism_for(name) for name in KNOWN] == [
        Auth,
        BasicAuth,
        SessionAuth,
        SessionExpAuth,
        SessionDBAuth,
    ]


def test_scripts_beside_the_server(serve: Serve) -> None:
    """What a script stores, changes or removes counts at the next request."""
    server = serve(**DB_SESSIONS)
    user_id, session_id = server.run(
        "from api.v1.auth.session_db_auth import SessionDBAuth\n"
        "from models.user import User\n"
        "user = User(email='bob@hbtn.io')\n"
        "user.save()\n"
        "print(user.id, SessionDBAuth().create_session(user.id))"
    ).split()

    def me() -> requests.Response:
        """Ask who the session belongs to."""
        return server.request("GET", "/api/v1/users/me", cookie=session_id)

    assert me().json()["id"] == user_id
    server.run(
        "from models.user import User\n"
        "user = User.search({'email': 'bob@hbtn.io'})[0]\n"
        "user.first_name = 'Bob'\n"
        "user.password = 'fake pwd'\n"
        "user.save()"
    )
    assert me().json()["first_name"] == "Bob"
    second = server.login("bob@hbtn.io", "fake pwd")
    assert (
        server.run(
            "import sys\n"
            "from models.user_session import UserSession\n"
            "print(UserSession.count())\n"
            "UserSession.search({'session_id': sys.argv[1]})[0].remove()",
            session_id,
        )
        == "2\n"
    )
    assert me().status_code == 403
    session_id = second
    assert me().status_code == 200


def test_a_script_before_any_server(serve: Serve, tmp_path: Path) -> None:
    """On a new file a script works; a server started later goes on."""
    said = run_python(
        "from models.user import User\n"
        "print(User.count(), User.search({'email': 'x'}), User.all())\n"
        "User(email='bob@hbtn.io').save()\n"
        "print(User.count())",
        tmp_path,
        environment(tmp_path),
    )
    assert said == "0 [] []\n1\n"
    server = serve()
    assert server.request("GET", "/api/v1/stats").json() == {"users": 1}

#!/usr/bin/env python3
"""How the server starts, and scripts beside it."""

from pathlib import Path

import pytest
import requests

from tests.conftest import Serve
from tests.serving import DB_SESSIONS, environment, run_python


def test_running_line_is_printed_when_ready(serve: Serve) -> None:
    """The line stands alone, and from then on the server responds."""
    server = serve(**DB_SESSIONS, SESSION_DURATION="60")
    assert [line for line in server.output if "Running" in line] == [
        f" * Running on http://127.0.0.1:{server.port}/\n"
    ]
    assert "session" not in "".join(server.output)
    assert server.request("GET", "/api/v1/status").status_code == 200
    assert server.stop() == 0
    with pytest.raises(requests.ConnectionError):
        server.request("GET", "/api/v1/status")


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
def test_import_starts_nothing(
    auth_type: str | None, name: str, tmp_path: Path
) -> None:
    """Importing gives `app` and the mechanism."""
    given = {} if auth_type is None else {"AUTH_TYPE": auth_type}
    said = run_python(IMPORTED, tmp_path, environment(tmp_path, **given))
    assert said == f"True\n{name} 1 []\n200 {{'status': 'OK'}}\n"


def test_changes_of_a_script_count_at_next_request(serve: Serve) -> None:
    """A script may store, change and remove objects."""
    server = serve(**DB_SESSIONS)
    user_id, session_id = server.run(
        "from api.v1.auth.session_db_auth import SessionDBAuth\n"
        "from models.user import User\n"
        "user = User(email='bob@hbtn.io')\n"
        "user.save()\n"
        "print(user.id, SessionDBAuth().create_session(user.id))"
    ).split()

    def me() -> requests.Response:
        """Request the user of the session."""
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


def test_script_works_before_first_start(serve: Serve, tmp_path: Path) -> None:
    """A script creates the database; a later server uses it."""
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

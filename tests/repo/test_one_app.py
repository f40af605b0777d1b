#!/usr/bin/env python3
"""`python3 -m api.v1.app` makes one application and one mechanism.

A module that is started is `__main__`; whoever imports it by its name gets
it a second time. Two mechanisms would not share their sessions.
"""

from pathlib import Path

from tests.conftest import Serve
from tests.serving import COOKIE, ROOT, run_python

#: Imported by the interpreter at its start, in the workers too.
COUNTING = """
import flask

whole = flask.Flask.__init__


def counted(self, *args, **kwargs):
    with open("made", "a") as made:
        made.write("an application\\n")
    whole(self, *args, **kwargs)


flask.Flask.__init__ = counted
"""


def test_the_server_makes_one_application(
    tmp_path: Path, serve: Serve
) -> None:
    """Login and filter use one mechanism, in the one application."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(COUNTING)
    server = serve(
        PYTHONPATH=f"{hook}:{ROOT}",
        AUTH_TYPE="session_auth",
        SESSION_NAME=COOKIE,
    )
    server.run(
        "from models.user import User\n"
        "user = User(email='me@example.com')\n"
        "user.password = 'correct horse'\n"
        "user.save()\n"
    )
    session_id = server.login("me@example.com", "correct horse")
    me = server.request("GET", "/api/v1/users/me", session_id)
    assert me.status_code == 200
    assert (tmp_path / "made").read_text() == "an application\n"


def test_a_script_gets_the_same_application_twice(tmp_path: Path) -> None:
    """Whoever imports `app` and `auth` again has what the first one has."""
    said = run_python(
        "from api.v1.app import app, auth\n"
        "import api.v1.app as module\n"
        "print(module.app is app, module.auth is auth, type(auth).__name__)",
        tmp_path,
        {"PYTHONPATH": str(ROOT), "AUTH_TYPE": "session_exp_auth"},
    )
    assert said == "True True SessionExpAuth\n"

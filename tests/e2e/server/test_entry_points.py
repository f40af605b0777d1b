#!/usr/bin/env python3
"""Ways to start the service: its own server, gunicorn, `flask run`."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import ALARMS
from tests.e2e.server.waiting import is_serving, wait_until
from tests.ports import free_port
from tests.serving import COOKIE, DB_SESSIONS, ROOT, Server

#: `sitecustomize` for each process: prints a line per application made.
MARKER = """
import flask
make = flask.Flask.__init__
def reporting(self, *arguments, **options):
    print("an application is made", flush=True)
    make(self, *arguments, **options)
flask.Flask.__init__ = reporting
"""
COMMANDS = {
    "gunicorn": [
        "gunicorn",
        "--workers",
        "2",
        "--bind",
        "127.0.0.1:PORT",
        "api.v1.app:app",
    ],
    "flask": ["flask", "--app", "api.v1.app", "run", "--port", "PORT"],
}


@contextmanager
def running(server: Server, command: list[str]) -> Iterator[Path]:
    """Run `command` with the server's settings; yield its output file."""
    program = str(Path(sys.executable).with_name(command[0]))
    rest = [part.replace("PORT", str(server.port)) for part in command[1:]]
    output = server.folder / "output"
    with output.open("w") as writer:
        process = subprocess.Popen(
            [program, *rest],
            cwd=server.folder,
            env=server.env,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.STDOUT,
        )
    try:
        assert wait_until(
            30, lambda: is_serving(server) or process.poll() is not None
        )
        assert process.poll() is None, output.read_text()
        yield output
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("name", COMMANDS)
def test_gunicorn_and_flask_serve_the_app(tmp_path: Path, name: str) -> None:
    """Another WSGI server needs only the `app` object."""
    server = Server(
        tmp_path,
        API_PORT=str(free_port()),
        **DB_SESSIONS,
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    with running(server, COMMANDS[name]) as output:
        status = server.request("GET", "/api/v1/status")
        assert status.json() == {"status": "OK"}
        session = server.login(EMAIL, PASSWORD)
        for _ in range(10):
            me = server.request("GET", "/api/v1/users/me", cookie=session)
            assert me.json()["email"] == EMAIL
        logout = server.request(
            "DELETE", "/api/v1/auth_session/logout", cookie=session
        )
        assert logout.json() == {}
        me = server.request("GET", "/api/v1/users/me", cookie=session)
        assert me.status_code == 403
        too_long = b"x" * 2_000_000
        assert (
            server.request(
                "POST",
                "/api/v1/auth_session/login",
                data=iter([too_long]),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ).status_code
            == 411
        )
    said = output.read_text()
    assert not [alarm for alarm in ALARMS if alarm in said], said


@pytest.mark.parametrize("name", COMMANDS)
def test_other_servers_run_the_startup_checks(
    tmp_path: Path, name: str
) -> None:
    """They warn as our own server does, and do not start with settings
    that ours refuses.
    """
    server = Server(tmp_path, API_PORT=str(free_port()))
    with running(server, COMMANDS[name]) as output:
        assert "every route is open to anyone" in output.read_text()
    server.env |= {"AUTH_TYPE": "session_auth", "WORKERS": "2"}
    with (
        pytest.raises(AssertionError, match="WORKERS: must be 1, not 2"),
        running(server, COMMANDS[name]),
    ):
        pass


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="the claim is an abstract socket, which only Linux has",
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_gunicorn_runs_one_worker_with_sessions_in_memory(
    workers: str, tmp_path: Path
) -> None:
    """A second worker would refuse the sessions of the first."""
    server = Server(
        tmp_path,
        API_PORT=str(free_port()),
        AUTH_TYPE="session_auth",
        SESSION_NAME=COOKIE,
    )
    command = list(COMMANDS["gunicorn"])
    command[command.index("2")] = workers
    if workers == "1":
        with running(server, command) as output:
            assert "one process" not in output.read_text()
        return
    process = subprocess.run(
        [
            str(Path(sys.executable).with_name(command[0])),
            *(part.replace("PORT", str(server.port)) for part in command[1:]),
        ],
        cwd=server.folder,
        env=server.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode != 0
    assert "memory of one process" in process.stderr


def test_server_process_makes_one_application(tmp_path: Path) -> None:
    """The views import the application that serves: `python3 -m api.v1.app`
    runs the module as `__main__`, and a second application would not know the
    sessions of the first.
    """
    (tmp_path / "sitecustomize.py").write_text(MARKER)
    server = Server(tmp_path, AUTH_TYPE="session_auth", SESSION_NAME=COOKIE)
    server.run(ADD_USER, EMAIL, PASSWORD)
    server.env["PYTHONPATH"] = f"{tmp_path}:{ROOT}"
    server.start()
    try:
        session = server.login(EMAIL, PASSWORD)
        me = server.request("GET", "/api/v1/users/me", cookie=session)
        assert me.status_code == 200
    finally:
        assert server.stop() == 0
    assert server.output.count("an application is made\n") == 1


def test_host_name_is_accepted(tmp_path: Path) -> None:
    """`API_HOST` may be a name of this machine."""
    server = Server(tmp_path)
    server.env["API_HOST"] = "localhost"
    server.start()
    assert is_serving(server)
    assert server.stop() == 0

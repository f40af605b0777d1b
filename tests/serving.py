#!/usr/bin/env python3
"""The real server as a child process, with requests over a real socket."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import requests

from tests.clocks import FileClock
from tests.ports import free_port
from vestibule.core import settings

ROOT = Path(__file__).resolve().parent.parent
COOKIE = "_my_session_id"
#: Settings of a server with sessions in its database.
DB_SESSIONS = {"AUTH_TYPE": "session_db_auth", "SESSION_NAME": COOKIE}
USERS = "/api/v1/users"
ME = f"{USERS}/me"
LOGIN = "/api/v1/auth_session/login"
LOGOUT = "/api/v1/auth_session/logout"
REFRESH = "/api/v1/auth_session/refresh"
SESSIONS = "/api/v1/auth_session/sessions"
VERIFY = "/api/v1/auth_session/verify"


def setting_names() -> set[str]:
    """Return the names of all variables that give a setting a value."""
    return {
        name
        for setting in settings.ALL
        for name in (setting.name, setting.prefixed_name)
    }


def environment(folder: Path, **given: str) -> dict[str, str]:
    """Return an environment with the settings `given` and an SQLite file.

    It has no setting of this process: of another test, or the developer's.
    """
    ours = setting_names()
    clean = {
        name: value for name, value in os.environ.items() if name not in ours
    }
    clean["PYTHONPATH"] = str(ROOT)
    # Ignore a developer's own .env file in the repository.
    clean["ENV_FILE"] = "none"
    clean["DATABASE_URL"] = f"sqlite:///{folder / 'vestibule.db'}"
    return clean | given


class Server:
    """`python3 -m api.v1.app` on a free port, until `stop` or `kill`."""

    interpreter = sys.executable
    #: The arguments of the interpreter.
    program: tuple[str, ...] = ("-m", "api.v1.app")

    def __init__(self, folder: Path, **settings: str) -> None:
        """Prepare a server whose working directory is `folder`.

        It does not throttle by default, because tests fail more often than
        users do, and it ends without a delay.
        """
        settings.setdefault("THROTTLE", "off")
        settings.setdefault("DRAIN_DELAY", "0")
        self.folder = folder
        self.port = int(settings.pop("API_PORT", free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = environment(
            folder, API_HOST="127.0.0.1", API_PORT=str(self.port), **settings
        )
        self.output: list[str] = []
        self._ready = threading.Event()

    def start(self, preexec: Any = None) -> "Server":
        """Start the server and wait until it prints that it runs."""
        self._ready.clear()
        self._is_running = False
        self.process = subprocess.Popen(
            [self.interpreter, *self.program],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=preexec,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        # A server that ends at once may close its output first.
        if not self._ready.wait(30) or not self._is_running:
            self.kill()
            raise RuntimeError("no start:\n" + "".join(self.output))
        return self

    def stop(self) -> int:
        """End the server by SIGTERM and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> int:
        """End the server by SIGKILL."""
        self.process.kill()
        return self._ended()

    def workers(self) -> list[int]:
        """Return the pids of its worker processes."""
        pid = self.process.pid
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(p) for task in tasks for p in task.read_text().split()]

    def request(
        self, method: str, path: str, cookie: str | None = None, **rest: Any
    ) -> requests.Response:
        """Send one request on a connection of its own; no redirects."""
        if cookie is not None:
            rest["headers"] = {
                "Cookie": f"{COOKIE}={cookie}",
                **rest.get("headers", {}),
            }
        return requests.request(
            method, self.url + path, timeout=30, allow_redirects=False, **rest
        )

    def login(self, email: str, password: str) -> str:
        """Log in and return the session id of the cookie."""
        response = self.request(
            "POST",
            LOGIN,
            data={"email": email, "password": password},
        )
        assert response.status_code == 200, response.text
        return response.cookies[COOKIE]

    def run(self, script: str, *arguments: str) -> str:
        """Run a Python `script` on the server's database; return output."""
        return run_python(script, self.folder, self.env, *arguments)

    def _ended(self) -> int:
        """Wait for the end of the process and of its output."""
        code = self.process.wait(60)
        self._reader.join(10)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        """Collect the output, and signal when the server is ready."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith(" * Running on "):
                self._is_running = True
                self._ready.set()
        self._ready.set()


class ClockedServer(Server):
    """A server whose clock the test moves."""

    def __init__(
        self, folder: Path, clock: FileClock, **settings: str
    ) -> None:
        """Prepare a server that reads the time from the clock's file."""
        super().__init__(folder, **settings)
        self.program = ("-m", "tests.clocked_server", str(clock.file))


def run_python(
    script: str, folder: Path, env: dict[str, str], *arguments: str
) -> str:
    """Run a Python `script` in `folder` and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

#!/usr/bin/env python3
"""Each example, on its framework's server, with a real Vestibule."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.forward_auth.proxies import is_open
from tests.e2e.server.waiting import wait_until
from tests.ports import free_port
from tests.serving import COOKIE, ROOT, Server, environment

pytestmark = pytest.mark.slow

ADD_USERS = """
from models.user import User
for name, role in (("Bob", "member"), ("Ada", "admin")):
    user = User(email=f"{name}@example.com", first_name=name)
    user.password, user.role = "correct horse battery", role
    user.save()
"""
GRANIAN = ("granian", "--interface", "wsgi", "--no-ws", "--host")
SERVERS = {
    "flask": GRANIAN,
    "django": GRANIAN,
    "fastapi": ("uvicorn", "--host"),
}
LOGOUT = "/api/v1/auth_session/logout"


class Example:
    """A running example; `stop` ends it."""

    def __init__(self, name: str, folder: Path, vestibule: str) -> None:
        """Start it as its first lines describe; wait until it listens."""
        self.port = free_port()
        module, *options = SERVERS[name]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                module,
                *options,
                "127.0.0.1",
                "--port",
                str(self.port),
                f"examples.{name}_app:app",
            ],
            cwd=folder,
            env=environment(folder, VESTIBULE_URL=vestibule),
            stdin=subprocess.DEVNULL,
        )
        assert wait_until(60, lambda: is_open(self.port))

    def get(
        self, path: str, cookie: str | None = None, **headers: str
    ) -> requests.Response:
        """Get a path with this session."""
        if cookie is not None:
            headers["Cookie"] = f"theme=dark; {COOKIE}={cookie}"
        return requests.get(
            f"http://127.0.0.1:{self.port}{path}",
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )

    def stop(self) -> None:
        """Stop it and wait for its exit."""
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture(scope="module")
def vestibule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Vestibule with a member and an admin."""
    server = Server(
        tmp_path_factory.mktemp("vestibule"),
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
    ).start()
    server.run(ADD_USERS)
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize("name", SERVERS)
def test_example_shows_user_role_and_sign_out(
    name: str, vestibule: Server, tmp_path: Path
) -> None:
    """A session that ends is refused at once."""
    example = Example(name, tmp_path, vestibule.url)
    try:
        strangers_get_nothing(example)
        bob, ada = (
            vestibule.login(f"{name}@example.com", "correct horse battery")
            for name in ("bob", "ada")
        )
        for _ in range(3):
            answer = example.get("/me", bob)
            assert (answer.status_code, answer.json()) == (
                200,
                {"name": "Bob"},
            )
            assert example.get("/me", ada).json() == {"name": "Ada"}
        assert example.get("/admin", ada).json() == {"role": "admin"}
        assert example.get("/admin", bob).status_code == 403
        left = vestibule.request("DELETE", LOGOUT, bob)
        assert left.status_code == 200
        assert example.get("/me", bob).status_code == 401
        it_is_shut_while_nobody_can_tell(example, vestibule, ada)
    finally:
        example.stop()


def strangers_get_nothing(example: Example) -> None:
    """An anonymous client gets 401, whatever headers it sends."""
    sent = {
        "Remote-User": "ada",
        "Remote-Groups": "admin",
        "Remote_User": "ada",
        "X-Vestibule-Identity": "ada",
    }
    for path in ("/me", "/admin"):
        for answer in (
            example.get(path),
            example.get(path, "unknown"),
            example.get(path, **sent),
            example.get(path, "unknown", **sent),
        ):
            assert answer.status_code == 401
            assert "vestibule" in answer.headers["WWW-Authenticate"]


def it_is_shut_while_nobody_can_tell(
    example: Example, vestibule: Server, cookie: str
) -> None:
    """Without its Vestibule it returns 503, then works again."""
    assert vestibule.stop() == 0
    try:
        for path in ("/me", "/admin"):
            assert example.get(path, cookie).status_code == 503
        assert example.get("/me").status_code == 401
    finally:
        vestibule.start()
    assert example.get("/me", cookie).json() == {"name": "Ada"}


@pytest.mark.parametrize("name", SERVERS)
def test_example_is_short(name: str) -> None:
    """It can be read at a glance."""
    text = (ROOT / "examples" / f"{name}_app.py").read_text()
    assert text.count("\n") < 40

#!/usr/bin/env python3
"""`demo`: it has data, lets people sign in, and leaves no files."""

import ipaddress
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.serving import environment
from tests.unit.cli.conftest import Run
from tests.unit.cli.processes import COMMAND, on_terminal
from vestibule.accounts.authentication import check_credentials
from vestibule.accounts.permissions import LOCAL
from vestibule.cli import demo_data
from vestibule.core import clock
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.lifetime import Limits, expiry_reason, seconds

pytestmark = pytest.mark.slow

EXAMPLES = [
    ipaddress.ip_network(each)
    for each in (
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
    )
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder in which temporary files are made."""
    made = tmp_path / "temporary"
    made.mkdir()
    return made


def begun(
    folder: Path, *options: str, shell: tuple[str, ...] = ()
) -> "subprocess.Popen[str]":
    """Start a demo, by a shell perhaps, with settings that do not count.

    They would write to another database, or start nothing.
    """
    other = f"sqlite:///{folder.parent / 'other.db'}"
    return subprocess.Popen(
        [*shell, *COMMAND, "demo", *options],
        cwd=folder.parent,
        env=environment(
            folder.parent,
            TMPDIR=str(folder),
            AUTH_TYPE="nonsense",
            VESTIBULE_DATABASE_URL=other,
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def running(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a small demo from a shell, and end the shell."""
    shell = ("sh", "-c", '"$@" & wait', "sh")
    with begun(folder, "--users", "12", shell=shell) as process:
        yield process
        process.kill()


def output_of(process: "subprocess.Popen[str]") -> str:
    """Return the output of a demo until it can be used."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(" * Running on "):
            return "".join(lines)
    raise AssertionError("".join(lines))


def names_of(url: str, email: str, password: str) -> requests.Response:
    """Sign in and return the names on the page of users."""
    visitor = requests.Session()
    visitor.trust_env = False
    login = visitor.post(
        f"{url}/api/v1/auth_session/login",
        data={"email": email, "password": password},
        timeout=30,
    )
    assert login.status_code == 200, login.text
    return visitor.get(f"{url}/api/v1/users", timeout=30)


def test_demo_lets_its_people_sign_in(
    running: "subprocess.Popen[str]", folder: Path
) -> None:
    """Each role sees its pages; the demo ends with its shell."""
    said = output_of(running)
    assert said.startswith(" * 12 users, ")
    url = re.search(r" \* Running on (http://127\.0\.0\.1:\d+)/", said)
    password = re.search(r"\n {5}(demo-\S+)\n", said)
    assert url and password
    assert f"{url[1]}/sign-in" in said
    assert len(names_of(url[1], demo_data.ADMIN, password[1]).json()) == 12
    assert names_of(url[1], demo_data.MEMBER, password[1]).status_code == 403
    (made,) = folder.iterdir()
    assert str(made) in said
    running.kill()
    # This waits for every process that could still print.
    running.communicate(timeout=60)
    assert not list(folder.iterdir())
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_interrupted_demo_removes_its_files(
    folder: Path, number: signal.Signals, code: int
) -> None:
    """It can be interrupted while it adds data, and deletes what was made."""
    with begun(folder, "--users", "100000") as process:
        give_up = time.monotonic() + 60
        while not list(folder.glob("*/vestibule.db")):
            assert time.monotonic() < give_up
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert not list(folder.iterdir())
    interrupted = "vestibule: interrupted; the demo's folder is removed\n"
    assert errors == (interrupted if code == 130 else "")


def test_taken_port_is_an_error(tmp_path: Path, folder: Path) -> None:
    """The error stands below the bar at a terminal; no file is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, screen = on_terminal(
            tmp_path,
            "demo",
            "--users",
            "20",
            "--port",
            port,
            TMPDIR=str(folder),
            COLUMNS="40",
        )
    assert code == 1
    assert "filling" in screen
    assert f"port {port} is already in use" in screen
    assert not list(folder.iterdir())


def test_people_are_fictional(any_database: str) -> None:
    """Addresses are for examples, sessions are valid, one hash is shared."""
    list(demo_data.fill(60, "demo-word"))
    people = User.all()
    assert len(people) == 60
    assert len({user.password for user in people}) == 1
    (admin,) = User.search({"email": demo_data.ADMIN})
    assert admin.role == "admin"
    assert check_credentials([admin], "", "demo-word", actor=LOCAL) == admin
    assert any(user.disabled_at for user in people)
    limits = Limits(seconds(43_200))
    sessions = UserSession.all()
    assert len(sessions) > 60
    for session in sessions:
        assert expiry_reason(session, limits, clock.now()) is None
        address = ipaddress.ip_address(session.ip or "")
        assert any(address in network for network in EXAMPLES)
    for user in people:
        assert (user.email or "").endswith("@example.com")
        if user.disabled_at:
            assert not UserSession.search({"user_id": user.id})


def test_events_are_in_the_past() -> None:
    """No event is in the future, and each belongs to its user."""
    now = clock.now()
    for demo_user in demo_data.generate_users(200, "a hash", now):
        assert demo_user.user.created_at < now
        for each in demo_user.events:
            assert each.at <= now
            assert each.user_id == demo_user.user.id


def test_too_few_people_are_refused(run: Run) -> None:
    """With one person there could be no admin and member."""
    assert run("demo", "--users", "1").exit_code == 2

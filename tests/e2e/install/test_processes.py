#!/usr/bin/env python3
"""`python -m vestibule` as a process: pipes, terminals, signals, failures."""

import json
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import click
import pytest

from tests.ports import free_port
from tests.serving import ROOT, environment
from tests.unit.cli.conftest import PASSWORD
from tests.unit.cli.processes import COMMAND, on_terminal, vestibule
from tests.unit.cli.test_events import NOON
from tests.unit.cli.test_import import row, store
from vestibule.db import events
from vestibule.db.events import Event
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


def some_events(number: int) -> None:
    """Store `number` events of some hundred bytes each."""
    events.insert_events(
        [
            Event(
                NOON - timedelta(seconds=each), "login", user_agent="x" * 200
            )
            for each in range(number)
        ]
    )


def test_password_is_read_from_a_pipe(tmp_path: Path) -> None:
    """The password is one line of standard input and is not asked twice."""
    done = vestibule(
        tmp_path, "users", "add", "bob@example.com", typed=f"{PASSWORD}\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    (user,) = User.all()
    assert user.is_valid_password(PASSWORD)
    assert PASSWORD not in done.stdout


def test_ctrl_c_at_a_question_changes_nothing(tmp_path: Path) -> None:
    """The command exits with 130 and without a traceback."""
    bob = User(email="bob@example.com")
    bob.save()
    code, screen = on_terminal(
        tmp_path,
        "users",
        "passwd",
        "bob@example.com",
        answers={"assword": "\x03"},
    )
    assert code == 130
    assert "vestibule: interrupted" in screen
    assert "Traceback" not in screen
    assert User.search({"email": "bob@example.com"})[0].password is None


def test_password_at_a_terminal_is_asked_twice(tmp_path: Path) -> None:
    """The terminal does not show it."""
    User(id="1", email="bob@example.com").save()
    code, screen = on_terminal(
        tmp_path,
        "users",
        "passwd",
        "bob@example.com",
        answers={"Password: ": PASSWORD, "Repeat": PASSWORD},
    )
    assert code == 0
    assert PASSWORD not in screen
    (user,) = User.all()
    assert user.is_valid_password(PASSWORD)


def test_import_shows_progress_at_a_terminal(tmp_path: Path) -> None:
    """In a pipe it does not."""
    file = store(tmp_path, *(row(f"u{number}") for number in range(50)))
    code, screen = on_terminal(tmp_path, "db", "import-json", file)
    assert code == 0
    assert "importing" in screen
    assert "50 imported, 0 already there, 0 bad" in screen
    done = vestibule(tmp_path, "db", "import-json", file, "--dry-run")
    assert "importing" not in done.stderr


def test_export_to_a_file_shows_progress(tmp_path: Path) -> None:
    """The bar appears only if the events are not printed on the terminal."""
    some_events(5)
    file = tmp_path / "events.jsonl"
    command = ("events", "export", "--format", "jsonl")
    with file.open("wb") as opened:
        code, screen = on_terminal(tmp_path, *command, output=opened.fileno())
    assert (code, len(file.read_text().splitlines())) == (0, 5)
    assert "exporting" in screen
    assert "login" not in screen
    code, screen = on_terminal(tmp_path, *command, "--output", "copy")
    assert (code, (tmp_path / "copy").read_text()) == (0, file.read_text())
    assert "exporting" in screen
    assert screen.rstrip().endswith("wrote copy")
    code, screen = on_terminal(tmp_path, *command)
    assert (code, "exporting" in screen) == (0, False)
    assert screen.count("login") == 5
    assert vestibule(tmp_path, *command).stderr == ""


def begun(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command in a session of its own, to interrupt it alone."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_interrupted_export_says_how_much_was_written(tmp_path: Path) -> None:
    """It also says that the output is cut, and what to do."""
    some_events(9_000)
    process = begun(tmp_path, "events", "export")
    assert process.stdout
    assert process.stdout.readline().startswith("time,")
    # The pipe is full, so the command waits for its reader.
    process.send_signal(signal.SIGINT)
    written, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    said = re.fullmatch(
        r"vestibule: interrupted; (\d+) of 9000 events were written; the"
        r" output is cut: export again, with --output for a complete"
        r" file\n",
        errors,
    )
    assert said
    assert int(said[1]) <= len(written.splitlines()) < 9_000


@pytest.mark.parametrize("columns", [8, 60, 300])
def test_table_works_at_any_width(tmp_path: Path, columns: int) -> None:
    """A very narrow terminal leads to no error."""
    User(id="1", email="bob@example.com").save()
    code, screen = on_terminal(
        tmp_path, "users", "list", columns=columns, NO_COLOR="1"
    )
    assert code == 0
    assert "Traceback" not in screen
    assert "bob@example.com" in screen


@pytest.mark.parametrize(
    "command",
    [
        ("users", "list"),
        ("sessions", "list"),
        ("events", "list"),
        ("identity", "list"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("users", [0, 2])
def test_table_of_forty_columns_loses_no_character(
    tmp_path: Path, command: tuple[str, ...], users: int
) -> None:
    """Ids, addresses and names stay whole, so that they can be copied."""
    User.count()
    for number in range(users):
        user = User(
            email=f"person.with.a.long.name.{number}@a-long-host.example",
            first_name="\u540d\u524d" * 9,
            last_name="Wolfeschlegelstein" * 3,
        )
        user.save()
        UserSession(user_id=user.id, session_id=f"{number}").save()
        events.insert_events(
            [
                Event(
                    user.created_at,
                    "login_failed",
                    user.id,
                    ip="2001:db8:1234:5678:9abc:def0:1234:5678",
                    times=4,
                )
            ]
        )
    narrow = click.unstyle(on_terminal(tmp_path, *command, columns=40)[1])
    assert "\u2026" not in narrow
    if command[0] == "events":
        assert narrow.count("2001:db8:1234:5678:9abc:def0:1234:5678") == users
    elif command[0] != "identity":
        for number in range(users):
            assert f".name.{number}@a-long-host.example" in narrow


def test_closed_pipe_is_no_error_message(tmp_path: Path) -> None:
    """A reader such as `head` may close the pipe early."""
    User(id="1").save()
    process = subprocess.Popen(
        [*COMMAND, "users", "list"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">/dev/full", 1, "vestibule: [Errno 28] No space left on device\n"),
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("<&-", 0, ""),
    ],
)
def test_closed_or_full_streams_lead_to_no_traceback(
    tmp_path: Path, redirection: str, code: int, said: str
) -> None:
    """The message, if any, is one line."""
    User(id="1").save()
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, "users", "list"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (code, said)


def test_characters_outside_the_encoding_are_escaped(tmp_path: Path) -> None:
    """The command does not fail on them."""
    User(id="1", email="ζωή@example.com").save()
    done = vestibule(tmp_path, "users", "list", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03b6\\u03c9\\u03ae@example.com" in done.stdout


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("mysql://vestibule:s3cret@127.0.0.1/x", ("users", "list")),
        (
            "postgresql+psycopg://vestibule:s3cret@127.0.0.1:1/x",
            ("db", "check"),
        ),
    ],
)
def test_unusable_database_is_a_one_line_error(
    tmp_path: Path, url: str, command: tuple[str, ...]
) -> None:
    """The exit code is 1, and the password of the address is not shown."""
    done = vestibule(tmp_path, *command, DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("vestibule: ")
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("users", "add"), ("nothing",)])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """An unknown or incomplete command exits with 2."""
    done = vestibule(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Usage: python -m vestibule" in done.stderr


def test_interrupted_import_can_be_continued(tmp_path: Path) -> None:
    """Ctrl-C leaves complete users, and the next import adds the others."""
    total = 3000
    rows = [row(f"u{number}") for number in range(total)]
    rows.insert(20, row("bad", email=""))
    file = store(tmp_path, *rows)
    process = begun(tmp_path, "db", "import-json", file)
    assert process.stderr
    assert process.stderr.readline().startswith("bad: ")
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith(
        "vestibule: interrupted; the same command imports the others\n"
    )
    assert "Traceback" not in errors
    assert 20 <= User.count() < total
    # The signal may come between a commit and its count.
    assert User.count() - int(said.split()[0]) in (0, 1)
    (user,) = User.search({"email": "u0@old.example"})
    assert user.to_json()["updated_at"] == "2018-01-02 03:04:05"
    left = total - User.count()
    done = vestibule(tmp_path, "db", "import-json", "--dry-run", file)
    assert f" {left} imported, {total - left} already there" in done.stdout


def test_serve_starts_the_server(tmp_path: Path) -> None:
    """`serve` prints the same lines as `python3 -m api.v1.app`."""
    done = vestibule(tmp_path, "serve", AUTH_TYPE="nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("vestibule: AUTH_TYPE: ")
    port = str(free_port())
    with subprocess.Popen(
        [*COMMAND, "serve"],
        cwd=tmp_path,
        env=environment(tmp_path, API_HOST="127.0.0.1", API_PORT=port),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert line == f" * Running on http://127.0.0.1:{port}/\n"


@pytest.mark.parametrize(
    ("modules", "unneeded"),
    [
        ("vestibule.cli", {"sqlalchemy", "rich", "flask"}),
        ("vestibule.cli.users", {"flask", "granian", "psycopg", "alembic"}),
    ],
)
def test_command_line_loads_few_modules(
    tmp_path: Path, modules: str, unneeded: set[str]
) -> None:
    """Help loads no command, and listing users loads no server or driver."""
    script = (
        f"import json, sys, {modules};print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment(tmp_path),
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    assert not unneeded & set(loaded)

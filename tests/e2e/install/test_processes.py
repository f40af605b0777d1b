#!/usr/bin/env python3
"""`python -m vestibule` from outside: pipes, terminals, signals, failures."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

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
    """Store so many events, each of some hundred bytes."""
    events.insert_events(
        [
            Event(
                NOON - timedelta(seconds=each), "login", user_agent="x" * 200
            )
            for each in range(number)
        ]
    )


def test_a_password_by_a_pipe(tmp_path: Path) -> None:
    """One line of standard input is the password; it is not repeated."""
    done = vestibule(
        tmp_path, "users", "add", "bob@example.com", typed=f"{PASSWORD}\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    (user,) = User.all()
    assert user.is_valid_password(PASSWORD)
    assert PASSWORD not in done.stdout


def test_ctrl_c_at_a_question(tmp_path: Path) -> None:
    """Whoever changes their mind has changed nothing."""
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


def test_a_password_at_a_terminal(tmp_path: Path) -> None:
    """It is asked for twice, and the terminal does not show it."""
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


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1)])
def test_a_question_at_a_terminal(
    tmp_path: Path, answer: str, left: int
) -> None:
    """Who is to be removed is named in the question."""
    User(id="1", email="bob@example.com").save()
    code, screen = on_terminal(
        tmp_path, "users", "remove", "1", answers={"[y/N]": answer}
    )
    assert (code, User.count()) == (left, left)
    assert "Remove bob@example.com (1)?" in screen


def test_a_bar_at_a_terminal(tmp_path: Path) -> None:
    """An import shows how far it is, to a person only."""
    file = store(tmp_path, *(row(f"u{number}") for number in range(50)))
    code, screen = on_terminal(tmp_path, "db", "import-json", file)
    assert code == 0
    assert "importing" in screen
    assert "50 imported, 0 already there, 0 bad" in screen
    done = vestibule(tmp_path, "db", "import-json", file, "--dry-run")
    assert "importing" not in done.stderr


def test_a_bar_beside_a_file(tmp_path: Path) -> None:
    """An export shows it where its lines are not shown, and not in them."""
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
    """Start a command that is to be interrupted, and nobody else with it."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_an_export_that_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C says how much is there, that it is cut, and how to go on."""
    some_events(9_000)
    process = begun(tmp_path, "events", "export")
    assert process.stdout
    assert process.stdout.readline().startswith("time,")
    # The rest waits for its reader: a pipe does not hold as much.
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
def test_a_table_at_a_terminal(tmp_path: Path, columns: int) -> None:
    """A list works on a terminal of any width."""
    User(id="1", email="bob@example.com").save()
    code, screen = on_terminal(
        tmp_path, "users", "list", columns=columns, NO_COLOR="1"
    )
    assert code == 0
    assert "Traceback" not in screen
    assert ("bob@example.com" in screen) is (columns != 8)


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
@pytest.mark.parametrize("people", [0, 2])
def test_forty_columns(
    tmp_path: Path, command: tuple[str, ...], people: int
) -> None:
    """No line is longer than that, and no character is left out."""
    User.count()
    for number in range(people):
        user = User(
            email=f"somebody.with.a.long.name.{number}@a-long-host.example",
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
    narrow, wide = (
        click.unstyle(on_terminal(tmp_path, *command, columns=width)[1])
        for width in (40, 400)
    )
    assert max(map(cell_len, narrow.splitlines())) <= 40
    # A column that is too narrow folds its words.
    folded, whole = ("".join(each.split()) for each in (narrow, wide))
    assert Counter(folded) == Counter(whole)
    assert "\u2026" not in narrow


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """A broken pipe, as of `head`, is no reason to complain."""
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
def test_streams_that_are_closed_or_full(
    tmp_path: Path, redirection: str, code: int, said: str
) -> None:
    """Whatever the shell does to the streams leads to no traceback."""
    User(id="1").save()
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, "users", "list"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (code, said)


def test_names_beyond_the_encoding_of_the_output(tmp_path: Path) -> None:
    """What the output cannot spell is written as an escape."""
    User(id="1", email="ζωή@example.com").save()
    done = vestibule(tmp_path, "users", "list", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03b6\\u03c9\\u03ae@example.com" in done.stdout


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://somebody:s3cret@127.0.0.1/x",
        "sqlite:////nowhere/at/all.db",
        "postgresql+psycopg://somebody:s3cret@127.0.0.1:1/x",
    ],
)
@pytest.mark.parametrize("command", [("users", "list"), ("db", "check")])
def test_a_database_that_is_none(
    tmp_path: Path, url: str, command: tuple[str, ...]
) -> None:
    """A bad address is one line and exit code 1, and no secret of it."""
    done = vestibule(tmp_path, *command, DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("vestibule: ")
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("users",), ("users", "add"), ("nothing",)]
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What is no command is exit code 2."""
    done = vestibule(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Usage: python -m vestibule" in done.stderr


def test_an_import_that_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C leaves whole users; the next import goes on behind them."""
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


def test_serve_is_the_server(tmp_path: Path) -> None:
    """`serve` starts what `python3 -m api.v1.app` does, and as it fails."""
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
def test_the_command_line_is_quick_to_load(
    tmp_path: Path, modules: str, unneeded: set[str]
) -> None:
    """Help loads no command; to list users, no server and no driver."""
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

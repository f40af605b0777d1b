#!/usr/bin/env python3
"""`db backup`: complete copies during writes; no partial file."""

import errno
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.backends import PostgreSQL
from tests.threads import at_once
from tests.unit.cli.conftest import Run
from tests.unit.cli.processes import on_terminal, vestibule
from vestibule.cli.output import ProgressBar
from vestibule.db import backup, engine, migrate
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of programs that is first in PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def wrap_pg_dump(tools: Path, before: str) -> None:
    """Let a shell run `before` and then the real `pg_dump`."""
    program = tools / "pg_dump"
    program.write_text(
        f'#!/bin/sh\n{before}\nexec {shutil.which("pg_dump")} "$@"\n'
    )
    program.chmod(0o755)


@pytest.mark.slow
def test_backup_during_writes_is_consistent(run: Run, tmp_path: Path) -> None:
    """It is one sound file of a moment within the backup."""
    for number in range(50):
        User(id=f"before {number}").save()
    UserSession(user_id="before 0", session_id="x").save()
    written = threading.Event()
    enough = threading.Event()

    def write() -> None:
        """Store users until the backup exists."""
        number = 0
        while not enough.is_set() and number < 20_000:
            User(id=f"during {number}").save()
            number += 1
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert written.wait(30)
    copy = tmp_path / "copy.db"
    try:
        done = vestibule(tmp_path, "db", "backup", str(copy))
    finally:
        enough.set()
        writer.join(30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {copy}\n"
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as found:
        assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert found.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        numbers = sorted(
            int(name.split()[1])
            for (name,) in found.execute(
                "SELECT id FROM users WHERE id LIKE 'during %'"
            )
        )
    # Users were written one after another: no gap means one moment.
    assert numbers == list(range(len(numbers)))
    assert len(numbers) <= User.count() - 50
    assert not list(tmp_path.glob(".copy*"))


@pytest.mark.slow
def test_backup_has_the_state_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write between two of its steps is not in it and does not delay it."""
    monkeypatch.setattr(backup, "PAGES_PER_STEP", 1)
    User(id="before").save()
    copy = tmp_path / "copy.db"
    heard: list[tuple[int, int]] = []

    def told(done: int, total: int) -> None:
        """Write more from elsewhere, at each step."""
        heard.append((done, total))
        at_once(1, lambda _: User(id=f"during {done}").save())

    backup.back_up(engine.database(), copy, told)
    (total,) = {total for _, total in heard}
    assert [done for done, _ in heard] == list(range(1, total + 1))
    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT id FROM users").fetchall() == [
            ("before",)
        ]
    assert User.count() == 1 + total


def test_backup_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    """A bar is drawn, and the last line says what was written."""
    User(id="1").save()
    code, screen = on_terminal(tmp_path, "db", "backup", "copy.db")
    assert code == 0
    assert "copying" in screen
    assert screen.rstrip().endswith("wrote copy.db")


def test_interrupted_backup_leaves_no_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two steps leaves the database as it was."""
    User(id="1").save()

    def told(self: ProgressBar, done: int, total: int) -> NoReturn:
        """Press it."""
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "update", told)
    done = run("db", "backup", str(tmp_path / "copy.db"))
    assert done.exit_code == 130
    assert not [*tmp_path.glob("*copy*")]
    User(id="2").save()


def test_backup_can_be_served(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was backed up is there when the copy is used instead."""
    User(id="1", email="a@example.com").save()
    copy = tmp_path / "copy.db"
    assert run("db", "backup", str(copy)).exit_code == 0
    User(id="2").save()
    engine.close()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{copy}")
    assert [user.id for user in User.all()] == ["1"]


def test_backup_keeps_an_older_schema(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator wants a backup before an upgrade."""
    (tmp_path / "vestibule.db").touch()
    copy = tmp_path / "copy.db"
    assert run("db", "backup", str(copy)).exit_code == 0
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{copy}")
    with closing(engine.configured_database()) as database:
        assert migrate.revision(database) is None


def test_postgresql_dump_restores(
    run: Run,
    postgresql: PostgreSQL,
    on_postgresql: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`psql` makes the same users and sessions of it elsewhere."""
    User(id="1", email="a@example.com", first_name="Zoë").save()
    UserSession(user_id="1", session_id="x").save()
    users = [user.to_json() for user in User.all()]
    dump = tmp_path / "dump.sql"
    assert run("db", "backup", str(dump)).exit_code == 0
    assert dump.stat().st_mode & 0o777 == 0o600
    elsewhere = postgresql.fresh_url()
    subprocess.run(
        [
            "psql",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            str(dump),
            elsewhere.replace("+psycopg", ""),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    monkeypatch.setenv("DATABASE_URL", elsewhere)
    assert run("db", "check").exit_code == 0
    assert [user.to_json() for user in User.all()] == users
    assert UserSession.find("x") is not None


def test_password_is_not_passed_as_an_argument(
    run: Run,
    on_postgresql: str,
    tools: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`pg_dump` gets it where the list of processes does not show it."""
    wrap_pg_dump(
        tools,
        f'echo "$@" "$PGPASSWORD" > {tmp_path}/asked\n'
        f'tr "\\0" " " < /proc/$$/cmdline > {tmp_path}/seen',
    )
    url = on_postgresql.replace("vestibule@", "vestibule:s3cret@")
    monkeypatch.setenv("DATABASE_URL", url)
    assert run("db", "backup", str(tmp_path / "dump")).exit_code == 0
    assert (tmp_path / "asked").read_text().endswith(" s3cret\n")
    seen = (tmp_path / "seen").read_text()
    assert "--dbname" in seen
    assert "s3cret" not in seen


def test_password_of_a_key_is_refused(
    run: Run,
    on_postgresql: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its error does not repeat the password."""
    monkeypatch.setenv("DATABASE_URL", f"{on_postgresql}?sslpassword=s3cret")
    done = run("db", "backup", str(tmp_path / "dump"))
    assert done.exit_code == 1
    assert "sslpassword" in done.stderr
    assert "s3cret" not in done.output


@pytest.mark.parametrize("link", [False, True])
def test_existing_file_is_not_overwritten(
    any_database: str, run: Run, tmp_path: Path, link: bool
) -> None:
    """A file that exists is kept, and so is a dangling link."""
    User.count()
    taken = tmp_path / "taken"
    if link:
        taken.symlink_to(tmp_path / "nowhere")
    else:
        taken.write_text("precious")
    done = run("db", "backup", str(taken))
    assert done.exit_code == 1
    assert done.stderr == f"vestibule: {taken} exists already and is kept\n"
    assert link or taken.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_file_created_meanwhile_is_not_overwritten(
    run: Run, on_postgresql: str, tools: Path, tmp_path: Path
) -> None:
    """A file that appears while the copy is written is kept."""
    dump = tmp_path / "dump"
    wrap_pg_dump(tools, f"echo precious > {dump}")
    done = run("db", "backup", str(dump))
    assert done.exit_code == 1
    assert "exists already and is kept" in done.stderr
    assert dump.read_text() == "precious\n"
    assert not list(tmp_path.glob(".dump*"))


def test_backup_is_renamed_without_hard_links(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without hard links the finished copy is renamed."""

    def refuse(*_: Any) -> NoReturn:
        """Refuse hard links, like FAT."""
        raise OSError(errno.EPERM, "no links here")

    User.count()
    monkeypatch.setattr(os, "link", refuse)
    assert run("db", "backup", str(tmp_path / "copy")).exit_code == 0
    assert (tmp_path / "copy").stat().st_size > 0
    assert not list(tmp_path.glob(".copy*"))


@pytest.mark.parametrize("target", ["none/copy", "vestibule.db/copy"])
def test_unwritable_folder_is_an_error(
    run: Run, tmp_path: Path, target: str
) -> None:
    """The error names the folder."""
    User.count()
    done = run("db", "backup", str(tmp_path / target))
    assert done.exit_code == 1
    assert done.stderr.startswith("vestibule: no backup: ")
    assert done.stderr.count("\n") == 1


def test_failed_backup_leaves_no_file(run: Run, tmp_path: Path) -> None:
    """Of a copy that fails halfway no piece remains."""
    (tmp_path / "vestibule.db").write_text("no database at all\n" * 99)
    done = run("db", "backup", str(tmp_path / "copy"))
    assert done.exit_code == 1
    assert "file is not a database" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["vestibule.db"]


def test_failed_dump_leaves_no_file(
    run: Run,
    tmp_path: Path,
    on_postgresql: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `pg_dump` complains of is one line, and no file is left."""
    monkeypatch.setenv("DATABASE_URL", f"{on_postgresql}nowhere")
    done = run("db", "backup", str(tmp_path / "dump"))
    assert done.exit_code == 1
    assert done.stderr.startswith("vestibule: no backup: pg_dump: error: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_missing_pg_dump_is_named(
    run: Run,
    tmp_path: Path,
    on_postgresql: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says that the program is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("db", "backup", str(tmp_path / "dump"))
    assert done.exit_code == 1
    assert "pg_dump is not installed" in done.stderr
    assert not list(tmp_path.iterdir())

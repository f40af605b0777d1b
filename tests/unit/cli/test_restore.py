#!/usr/bin/env python3
"""`db restore`: all or nothing, and only without a running service."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving import environment
from tests.unit.cli.conftest import Run
from vestibule.db import drivers, engine, migrate
from vestibule.db.models.user import User

#: A process that uses the database until its input ends.
HOLD = """
import sys
from vestibule.db.models.user import User
User.count()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of this test's SQLite file."""
    return tmp_path / "vestibule.db"


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """Return a backup with the user 1; the database has the user 2 too."""
    User(id="1", email="a@example.com").save()
    target = tmp_path / "copy.db"
    assert run("db", "backup", str(target)).exit_code == 0
    User(id="2").save()
    engine.close()
    return target


def ids() -> list[str]:
    """Return the ids of the stored users."""
    found = sorted(user.id for user in User.all())
    engine.close()
    return found


def test_restore_replaces_the_database(
    run: Run, copy: Path, file: Path
) -> None:
    """The file is private, and nothing of the old one is left."""
    content = copy.read_bytes()
    done = run("db", "restore", str(copy))
    assert (done.exit_code, done.stdout) == (
        0,
        f"restored {file} from {copy}; the schema is at revision"
        f" {migrate.EXPECTED_REVISION}\n",
    )
    assert {path.name for path in file.parent.iterdir()} == {
        "vestibule.db",
        "copy.db",
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert copy.read_bytes() == content
    assert ids() == ["1"]


def test_old_write_ahead_log_is_not_taken_for_the_backups(
    run: Run, copy: Path, file: Path
) -> None:
    """A crashed server leaves a log whose writes are not in the file."""
    script = (
        "import os; from vestibule.db.models.user import User;"
        "User(id='3').save(); os._exit(0)"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=file.parent,
        env=environment(file.parent),
        check=True,
    )
    assert Path(f"{file}-wal").stat().st_size > 0
    assert run("db", "restore", str(copy)).exit_code == 0
    assert not Path(f"{file}-wal").exists()
    assert ids() == ["1"]
    assert run("db", "check").exit_code == 0


@pytest.mark.parametrize("visible", [True, False])
def test_restore_under_a_running_process_is_refused(
    run: Run,
    copy: Path,
    file: Path,
    visible: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Linux shows the process, or the lock of its connection does."""
    if not visible:
        # The process may be in another container.
        monkeypatch.setattr(
            "vestibule.db.backup._processes_with", lambda _: iter(())
        )
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=file.parent,
        env=environment(file.parent),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "ready\n"
        done = run("db", "restore", str(copy))
        other.stdin.close()
        other.wait(30)
    assert done.exit_code == 1
    assert done.stderr.endswith("stop the service first\n")
    assert (f"process {other.pid} uses" in done.stderr) is visible
    assert ids() == ["1", "2"]
    assert not list(file.parent.glob(".*"))


def test_damaged_database_can_be_replaced(
    run: Run, copy: Path, file: Path
) -> None:
    """That is when a backup is needed."""
    for damage in (b"no database at all " * 99, b""):
        file.write_bytes(damage)
        Path(f"{file}-wal").write_bytes(b"old")
        assert run("db", "restore", str(copy)).exit_code == 0
        assert ids() == ["1"]
    file.unlink()
    assert run("db", "restore", str(copy)).exit_code == 0
    assert ids() == ["1"]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DROP TABLE vestibule_version", "belongs to another program"),
        ("UPDATE vestibule_version SET version_num = '9999'", "newer version"),
    ],
)
def test_file_that_does_not_fit_is_refused(
    run: Run, copy: Path, statement: str, why: str
) -> None:
    """The database stays as it was."""
    with closing(drivers.sqlite_driver().connect(str(copy))) as other:
        other.execute(statement)
        other.commit()
    done = run("db", "restore", str(copy))
    assert done.exit_code == 1
    assert why in done.stderr
    assert ids() == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"text " * 999])
def test_file_that_is_no_backup_is_refused(
    run: Run, copy: Path, content: bytes
) -> None:
    """Neither is an empty file."""
    copy.write_bytes(content)
    done = run("db", "restore", str(copy))
    assert done.exit_code == 1
    assert done.stderr.startswith("vestibule: no restore: ")
    assert done.stderr.count("\n") == 1
    assert ids() == ["1", "2"]


def test_damaged_backup_is_refused(run: Run, copy: Path) -> None:
    """Its pages are checked before the database is replaced."""
    with open(copy, "r+b") as damaged:
        damaged.seek(4096 * 3)
        damaged.write(os.urandom(4096))
    done = run("db", "restore", str(copy))
    assert done.exit_code == 1
    assert ids() == ["1", "2"]


def test_database_is_not_restored_from_itself(
    run: Run, copy: Path, file: Path
) -> None:
    """A link to it counts as itself."""
    link = file.parent / "link.db"
    link.symlink_to(file)
    done = run("db", "restore", str(link))
    assert done.exit_code == 1
    assert "the file is the database" in done.stderr
    assert ids() == ["1", "2"]


def test_postgresql_is_restored_by_psql(
    run: Run, on_postgresql: str, tmp_path: Path
) -> None:
    """The error names the program."""
    dump = tmp_path / "dump.sql"
    dump.touch()
    done = run("db", "restore", str(dump))
    assert done.exit_code == 1
    assert "psql restores a backup" in done.stderr

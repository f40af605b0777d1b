#!/usr/bin/env python3
"""SQLite files: replaced, shared, unreadable, of other programs."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.app.api.conftest import Build, build
from tests.serving import COOKIE, environment
from tests.unit.cli.conftest import Run, run
from vestibule.checks.doctor import run_checks
from vestibule.checks.settings import Level
from vestibule.core.errors import DatabaseReplaced, DatabaseUnavailable
from vestibule.db import drivers, engine
from vestibule.db.engine import database
from vestibule.db.models.user import User

__all__ = ["build", "run"]
pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of this test's SQLite file."""
    return tmp_path / "vestibule.db"


def execute(file: Path, *statements: str) -> None:
    """Execute SQL in a file as another program does."""
    with closing(drivers.sqlite_driver().connect(str(file))) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()


def mode(file: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(file.stat().st_mode)


def journal(file: Path) -> str:
    """Return the journal mode that is stored in a file."""
    with closing(drivers.sqlite_driver().connect(str(file))) as other:
        return str(other.execute("PRAGMA journal_mode").fetchone()[0])


def replace(file: Path) -> None:
    """Put a copy of the file at its path."""
    shutil.copy(file, f"{file}.copy")
    os.replace(f"{file}.copy", file)


def delete(file: Path) -> None:
    """Delete the file and what SQLite keeps beside it."""
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()


def recreate(file: Path) -> None:
    """Delete the file, and let another process create it again."""
    delete(file)
    file.touch()


@pytest.mark.parametrize("change", [replace, delete, recreate])
def test_replaced_file_is_refused_and_logged_once(
    file: Path,
    change: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No read, write or change token comes from the old file."""
    monkeypatch.setattr(drivers, "FILE_CHECK_SECONDS", 0)
    user = User()
    user.save()
    assert database().change_token() is not None
    change(file)
    for _ in range(2):
        for use in (
            user.save,
            User.count,
            lambda: User.get("x"),
            lambda: database().change_token(),
        ):
            with pytest.raises(DatabaseReplaced, match="restart the service"):
                use()
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert len(errors) == 1
    assert str(file) in errors[0].getMessage()
    engine.close()
    assert User.count() == (1 if change is replace else 0)


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize(
    "suffixes", [("-wal",), ("-shm",), ("-wal", "-shm")], ids="".join
)
def test_deleted_log_is_refused_and_logged_once(
    file: Path,
    suffixes: tuple[str, ...],
    link: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Other processes would write to a new log, which this one never reads.

    They may have made that new log already.
    """
    monkeypatch.setattr(drivers, "FILE_CHECK_SECONDS", 0)
    real = file
    if link:
        real = file.with_name("real.db")
        file.symlink_to(real)
    User().save()
    assert User.count() == 1
    for suffix in suffixes:
        real.with_name(real.name + suffix).unlink()
    for _ in range(2):
        for use in (User().save, User.count, database().change_token):
            with pytest.raises(DatabaseReplaced, match=suffixes[0]):
                use()
        for suffix in suffixes:
            real.with_name(real.name + suffix).touch()
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert len(errors) == 1


def test_log_that_sqlite_deletes_is_not_missed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so with the last connection, and the next one makes it again."""
    monkeypatch.setattr(drivers, "FILE_CHECK_SECONDS", 0)
    User().save()
    assert User.count() == 1
    log = file.with_name(f"{file.name}-wal")
    before = drivers.inode_of(str(log))
    database().close()
    assert not log.exists()
    log.with_suffix(".other").touch()  # so that the inode is not used again
    User().save()
    assert User.count() == 2
    assert drivers.inode_of(str(log)) not in (None, before)


def test_file_that_is_back_is_used_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same file: nothing was lost."""
    monkeypatch.setattr(drivers, "FILE_CHECK_SECONDS", 0)
    User().save()
    file.rename(f"{file}.away")
    with pytest.raises(DatabaseReplaced):
        User.count()
    Path(f"{file}.away").rename(file)
    assert User.count() == 1


def test_replaced_file_makes_each_route_unavailable(
    build: Build,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has one line, however many requests come."""
    monkeypatch.setattr(drivers, "FILE_CHECK_SECONDS", 0)
    client = build("session_db_auth").client()
    assert client.get("/readyz").status_code == 200
    replace(file)
    caplog.clear()
    client.set_cookie(COOKIE, "x")
    for path in ("/readyz", "/api/v1/users", "/api/v1/auth_session/verify"):
        for _ in range(2):
            assert client.get(path).status_code == 503
    assert client.get("/healthz").status_code == 200
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1


def test_file_behind_a_dangling_link_is_private(
    file: Path, tmp_path: Path
) -> None:
    """It is created where the link leads to."""
    real = tmp_path / "there" / "real.db"
    real.parent.mkdir()
    (tmp_path / "second").symlink_to(real)
    file.symlink_to(tmp_path / "second")
    User().save()
    assert file.is_symlink()
    for each in real.parent.iterdir():
        assert mode(each) == 0o600, each


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o602])
def test_upgrade_warns_of_a_file_open_to_others(
    file: Path, bits: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty file may have any mode, and it will hold the passwords."""
    file.touch()
    file.chmod(bits)
    User.count()
    assert f"chmod 600 {file}" in caplog.text
    assert mode(file) == bits


def test_command_leaves_the_journal_mode(file: Path, run: Run) -> None:
    """A server with another version of SQLite may be using the file."""
    User(email="a@example.com").save()
    engine.close()
    for kept in ("delete", "wal"):
        execute(file, f"PRAGMA journal_mode = {kept}")
        assert run("users", "list").exit_code == 0
        assert run("users", "disable", "a@example.com").exit_code == 0
        assert journal(file) == kept


def test_upgrade_sets_the_journal_mode(file: Path, run: Run) -> None:
    """The command says so in the documentation."""
    User.count()
    engine.close()
    execute(file, "PRAGMA journal_mode = DELETE")
    assert run("db", "upgrade").exit_code == 0
    assert journal(file) == "wal"


def test_journal_mode_of_a_file_in_use_is_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode is slower, but safe, and the start goes on."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "100")
    User.count()
    engine.close()
    execute(file, "PRAGMA journal_mode = DELETE")
    with closing(drivers.sqlite_driver().connect(str(file))) as other:
        other.isolation_level = None
        other.execute("BEGIN")
        other.execute("SELECT * FROM users").fetchall()
        database().set_journal_mode()
        other.execute("ROLLBACK")
    assert User.count() == 0


def test_eight_processes_create_a_file_at_once(tmp_path: Path) -> None:
    """Each finds the schema, made by whichever came first."""
    script = (
        "import sys; sys.stdin.read(1);"
        "from vestibule.db.models.user import User;"
        "User().save(); print('ok')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment(tmp_path, DATABASE_TIMEOUT="60000"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for each in started:
        assert each.stdin is not None
        each.stdin.write("x")
        each.stdin.flush()
    for each in started:
        said, errors = each.communicate(timeout=120)
        assert said == "ok\n", errors
    assert User.count() == 8
    assert journal(tmp_path / "vestibule.db") == "wal"


NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def shared_file(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a database of root in a folder of the user nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    # Other users cannot enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="vestibule-files-"))
    os.chown(folder, NOBODY.pw_uid, -1)
    file = folder / "shared.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    User.count()
    engine.close()
    yield file
    engine.close()
    shutil.rmtree(folder)


def as_nobody(work: Callable[[], str]) -> str:
    """Return what `work` returns as the user nobody, or its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            os.write(writing, work().encode())
        except Exception as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as said:
        return said.read()


def store_as_nobody() -> str:
    """Store a user in a child process of nobody; return its error."""

    def store() -> str:
        """Store a user."""
        User().save()
        return "stored"

    return as_nobody(store)


@pytest.mark.parametrize("bits", [0o600, 0o644])
def test_file_of_root_is_an_error_with_a_cure(
    shared_file: Path, bits: int
) -> None:
    """The error names the path, the owner, and what to run."""
    shared_file.chmod(bits)
    said = store_as_nobody()
    assert f"{shared_file} belongs to root with mode {bits:o}" in said
    assert f"run: chown nobody {shared_file}" in said
    os.chown(shared_file, NOBODY.pw_uid, -1)
    assert store_as_nobody() == "stored"


def test_read_only_file_is_an_error_with_a_cure(shared_file: Path) -> None:
    """A mode can be what is in the way, too."""
    os.chown(shared_file, NOBODY.pw_uid, -1)
    shared_file.chmod(0o400)
    assert f"run: chmod u+rw {shared_file}" in store_as_nobody()
    shared_file.chmod(0o600)
    # SQLite made this one with the mode that the database had.
    for each in shared_file.parent.glob("*-shm"):
        if mode(each) == 0o400:
            assert f"run: chmod u+rw {each}" in store_as_nobody()
            each.chmod(0o600)
    assert store_as_nobody() == "stored"


def test_read_only_file_is_seen_by_readiness_and_doctor(
    shared_file: Path, build: Build
) -> None:
    """A service that can only read its file is not ready."""

    def look() -> str:
        """Return what an operator sees: /readyz, then doctor's finding."""
        client = build("session_db_auth").client()
        said = [str(client.get("/readyz").status_code)]
        said += [
            found.message
            for found in run_checks()
            if found.id.startswith("database.") and found.level is Level.WRONG
        ]
        return "\n".join(said)

    os.chown(shared_file, NOBODY.pw_uid, -1)
    assert as_nobody(look) == "200"
    shared_file.chmod(0o400)
    status, *findings = as_nobody(look).splitlines()
    assert status == "503"
    assert f"{shared_file} belongs to nobody with mode 400" in findings[0]


def test_folder_of_root_is_an_error_with_a_cure(shared_file: Path) -> None:
    """SQLite needs to create files beside the database."""
    os.chown(shared_file, NOBODY.pw_uid, -1)
    os.chown(shared_file.parent, 0, -1)
    shared_file.parent.chmod(0o755)
    assert f"run: chown nobody {shared_file.parent}" in store_as_nobody()


def test_missing_folder_and_folder_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says only that it is unable to open the file."""
    for path, why in (
        (tmp_path / "none" / "a.db", f"there is no folder {tmp_path}/none"),
        (tmp_path, f"{tmp_path} is a folder"),
    ):
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
        with pytest.raises(DatabaseUnavailable, match=why):
            User.count()

#!/usr/bin/env python3
"""Databases of other programs, older ones, and those that take no writes."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.app.api.conftest import Build, build
from tests.app.api.service import stored_user
from tests.serving import COOKIE, LOGOUT, ME
from tests.unit.cli.conftest import Run, run
from tests.unit.test_database_files import execute, file, replace
from vestibule.checks.doctor import run_checks
from vestibule.checks.settings import Level
from vestibule.core.errors import DatabaseUnavailable, SchemaMismatch
from vestibule.db import drivers, engine, migrate
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.statements import check_writes, write_check_row

__all__ = ["build", "file", "run"]

OLD_TABLE = "ALTER TABLE vestibule_version RENAME TO alembic_version"
FOREIGN = {
    "other tables": ("CREATE TABLE posts (id)",),
    "users of its own": ("CREATE TABLE users (id, email_key)",),
    "alembic": (
        "CREATE TABLE alembic_version AS SELECT '0005' AS version_num",
        "CREATE TABLE posts (id)",
    ),
    "alembic and nothing else": (
        "CREATE TABLE alembic_version AS SELECT '1975ea83b712' AS version_num",
    ),
}


@pytest.mark.parametrize("tables", FOREIGN.values(), ids=FOREIGN)
def test_database_of_another_program_is_left_alone(
    file: Path, run: Run, tables: tuple[str, ...]
) -> None:
    """Every use says so, and none changes the file."""
    execute(file, *tables)
    content = file.read_bytes()
    with pytest.raises(SchemaMismatch, match="belongs to another program"):
        User.count()
    for command in (
        ("db", "check"),
        ("db", "upgrade"),
        ("users", "list"),
        ("users", "add", "a@example.com"),
        ("sessions", "purge"),
        ("identity", "rotate"),
    ):
        done = run(*command, typed="correct horse battery\n")
        assert done.exit_code == 1, command
        assert "belongs to another program" in done.stderr, command
        assert done.stderr.count("\n") == 1
    assert file.read_bytes() == content


def test_schema_that_another_process_makes_meanwhile_is_ours(
    file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes may be the first to start."""
    look = migrate._tables

    def look_late(connection: Connection) -> list[str]:
        """Let another process make the tables, and look."""
        monkeypatch.setattr(migrate, "_tables", look)
        assert run("db", "upgrade").exit_code == 0
        return look(connection)

    execute(file)
    monkeypatch.setattr(migrate, "_tables", look_late)
    assert migrate.revision(database()) == migrate.EXPECTED_REVISION


def test_version_table_without_a_row_is_refused(file: Path, run: Run) -> None:
    """No migration is tried, because the schema is unknown."""
    assert run("db", "upgrade").exit_code == 0
    execute(file, "DELETE FROM vestibule_version")
    content = file.read_bytes()
    for command in (("db", "check"), ("db", "upgrade"), ("users", "list")):
        done = run(*command)
        assert done.exit_code == 1, command
        assert "vestibule_version has no row" in done.stderr, command
    assert file.read_bytes() == content


def test_older_version_table_moves_in_the_upgrade(
    any_database: str, run: Run
) -> None:
    """Commands refuse the database until `db upgrade` moved the table."""
    User(email="a@example.com").save()
    with database().transaction() as connection:
        connection.exec_driver_sql(OLD_TABLE)
    for command in (("users", "list"), ("db", "check")):
        done = run(*command)
        assert done.exit_code == 1
        assert "db upgrade" in done.stderr
    assert "the schema went from revision" in run("db", "upgrade").stdout
    assert "a@example.com" in run("users", "list").stdout
    # Another program may have its own table beside ours from now on.
    with database().transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version AS SELECT '7' AS version_num"
        )
    assert run("db", "check").exit_code == 0


@pytest.mark.slow
def test_first_use_by_a_script_moves_the_version_table() -> None:
    """A server and a script upgrade an SQLite file."""
    User().save()
    with database().transaction() as connection:
        connection.exec_driver_sql(OLD_TABLE)
    engine.close()
    assert User.count() == 1
    assert migrate.schema(database()).is_current


@pytest.mark.parametrize("command", ["list", "add"])
def test_command_does_not_upgrade_beneath_a_server(
    run: Run, command: str
) -> None:
    """A server of the older version may be running."""
    User.count()
    with database().transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE vestibule_version SET version_num = '0004'"
        )
    arguments = ["a@example.com"] if command == "add" else []
    done = run("users", command, *arguments, typed="correct horse\n")
    assert done.exit_code == 1
    assert "db upgrade" in done.stderr
    opened = engine.configured_database()
    assert migrate.revision(opened) == "0004"
    opened.dispose()


def test_reading_command_leaves_an_empty_file_empty(
    file: Path, run: Run
) -> None:
    """Only a command that adds something creates the schema."""
    file.touch()
    for command in (("users", "list"), ("events", "list")):
        done = run(*command)
        assert done.exit_code == 1
        assert "db upgrade" in done.stderr
    assert file.read_bytes() == b""


def test_check_of_writes_sees_a_refusal(any_database: str) -> None:
    """After the time for which the last commit counts, a row is written."""
    User().save()
    opened = database()
    check_writes(opened)
    with refused_writes():
        check_writes(opened)
        opened.written_at -= 11
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                check_writes(opened)
    # The failure stands for a second.
    with pytest.raises(DatabaseUnavailable):
        check_writes(opened)
    opened.refused_at -= 2
    check_writes(opened)
    assert time.monotonic() - opened.written_at < 5


@contextmanager
def refused_writes() -> Iterator[None]:
    """Let SQLite refuse all transactions, as it does with a full disk."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database(), "_begin_sql", "nonsense")
        yield


def test_readiness_needs_writes(build: Build) -> None:
    """A database that takes no writes makes the service not ready."""
    client = build("session_db_auth").client()
    assert client.get("/readyz").status_code == 200
    opened = database()
    with refused_writes():
        opened.written_at -= 11
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
    opened.refused_at -= 2
    assert client.get("/readyz").status_code == 200


def test_each_check_of_writes_takes_more_room_than_a_login(
    build: Build,
) -> None:
    """A smaller check would succeed where logins fail: on a full disk."""
    service = build("session_db_auth")
    user = stored_user()
    log = Path(f"{database().url.database}-wal")

    def growth(write: Callable[[], object]) -> int:
        """Return the bytes that `write` adds to SQLite's log."""
        before = log.stat().st_size
        write()
        return log.stat().st_size - before

    checks = [growth(lambda: write_check_row(database())) for _ in range(3)]
    assert min(checks) > growth(lambda: service.log_in(user)) > 0


def test_doctor_reports_a_database_without_writes(build: Build) -> None:
    """The finding has the reason."""
    User.count()
    with refused_writes():
        found = [each for each in run_checks() if each.level is Level.WRONG]
    (only,) = (each for each in found if each.id == "database.writes")
    assert "nonsense" in only.message
    assert "database.writes" not in {
        each.id for each in run_checks() if each.level is not Level.GOOD
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", LOGOUT), ("POST", "/sign-out")]
)
def test_sign_out_without_writes_clears_the_cookie(
    build: Build, method: str, path: str
) -> None:
    """With a full disk the session stays, but not in this browser."""
    service = build("session_db_auth", WEB_PAGES="on")
    client, answer = service.log_in(stored_user())
    assert answer.status_code == 200
    with refused_writes():
        answer = client.open(path, method=method)
    assert answer.status_code == 503
    assert f"{COOKIE}=;" in answer.headers["Set-Cookie"]
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert client.get(ME).status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", LOGOUT), ("POST", "/sign-out")]
)
def test_sign_out_without_reads_clears_the_cookie(
    build: Build, file: Path, method: str, path: str
) -> None:
    """Not even the session can be looked up: SQLite needs room for that."""
    service = build("session_db_auth", WEB_PAGES="on")
    client, _ = service.log_in(stored_user())
    replace(file)
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    answer = client.open(path, method=method, headers=cross_site)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert client.get(ME).status_code == 503
    answer = client.open(path, method=method)
    assert answer.status_code == 503
    assert f"{COOKIE}=;" in answer.headers["Set-Cookie"]
    assert client.get(ME).status_code == 401


@pytest.mark.slow
def test_sign_out_of_a_busy_database_keeps_the_cookie(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is asked to try again, and needs the cookie for it."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "500")
    service = build("session_db_auth")
    client, _ = service.log_in(stored_user())
    path = str(database().url.database)
    with closing(drivers.sqlite_driver().connect(path)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        answer = client.delete(LOGOUT)
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert "Set-Cookie" not in answer.headers
        other.execute("ROLLBACK")
    assert client.delete(LOGOUT).status_code == 200

#!/usr/bin/env python3
"""`db upgrade` and `db check`: their output and their effect."""

from pathlib import Path

import pytest

from tests.backends import PostgreSQL
from tests.unit.cli.conftest import Run
from vestibule.db import engine, migrate
from vestibule.db.models.user import User

GO = "run: python -m vestibule db upgrade"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run the test on a database without a schema; return its kind."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        monkeypatch.setenv("DATABASE_URL", server.fresh_url())
    else:
        folder: Path = request.getfixturevalue("tmp_path")
        (folder / "vestibule.db").touch()
    kind: str = request.param
    return kind


def test_empty_database_fails_the_check_until_upgraded(
    empty_database: str, run: Run
) -> None:
    """An empty database is not fine until it is upgraded."""
    done = run("db", "check")
    assert done.exit_code == 1
    assert (
        f"schema: no schema, this version works with revision"
        f" {migrate.EXPECTED_REVISION}\n"
    ) in done.stdout
    assert GO in done.stderr
    done = run("db", "upgrade")
    assert (done.exit_code, done.stdout) == (
        0,
        "the schema went from no schema to revision"
        f" {migrate.EXPECTED_REVISION}\n",
    )
    done = run("db", "check")
    assert (done.exit_code, done.stderr) == (0, "")
    whole = "integrity: ok\n" in done.stdout
    assert whole is (empty_database == "sqlite")
    done = run("db", "upgrade")
    assert (done.exit_code, done.stdout) == (
        0,
        f"the schema is at revision {migrate.EXPECTED_REVISION} already\n",
    )
    assert User.count() == 0


def test_newer_schema_fails_the_check_and_the_upgrade(
    any_database: str, run: Run
) -> None:
    """A newer schema is not fine, and no upgrade leads back."""
    User.count()
    with engine.database().transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE vestibule_version SET version_num = '9999'"
        )
    done = run("db", "check")
    assert done.exit_code == 1
    assert "schema: revision 9999, this version works" in done.stdout
    assert "has the schema of a newer version, 9999" in done.stderr
    assert GO not in done.stderr
    done = run("db", "upgrade")
    assert done.exit_code == 1
    assert "cannot be upgraded" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ("db", "check"),
        ("db", "backup", "copy"),
        ("users", "list"),
        ("users", "remove", "1", "--yes"),
        ("sessions", "list"),
        ("sessions", "end", "1"),
        ("sessions", "purge"),
        ("identity", "list"),
        ("events", "list"),
        ("events", "export"),
        ("events", "export", "--format", "jsonl"),
    ],
    ids=" ".join,
)
def test_check_of_a_missing_file_creates_none(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The error says that it does not exist."""
    done = run(*command)
    assert done.exit_code == 1
    assert done.stderr == (
        f"vestibule: there is no file {tmp_path}/vestibule.db:"
        " set DATABASE_URL to the right one, or create it:"
        " python -m vestibule db upgrade\n"
    )
    assert not list(tmp_path.iterdir())


def test_upgrade_creates_a_private_file(run: Run, tmp_path: Path) -> None:
    """The first upgrade of an SQLite file creates it, for its owner."""
    assert run("db", "upgrade").exit_code == 0
    file = tmp_path / "vestibule.db"
    assert file.stat().st_mode & 0o777 == 0o600


def test_file_that_is_no_database_is_an_error(
    run: Run, tmp_path: Path
) -> None:
    """One line says that it is no database."""
    (tmp_path / "vestibule.db").write_text("nothing of that kind\n" * 99)
    done = run("db", "check")
    assert done.exit_code == 1
    assert done.stderr == (
        "vestibule: the database failed: file is not a database\n"
    )


def test_damaged_file_fails_the_check(run: Run, tmp_path: Path) -> None:
    """An index that lacks a row is found, and the exit code is 1."""
    User(email="a@example.com").save()
    with engine.database().transaction() as connection:
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        connection.exec_driver_sql(
            "UPDATE sqlite_schema SET sql ="
            " replace(sql, '(email_key)', '(first_name)')"
            " WHERE name = 'users_email_key'"
        )
        connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    done = run("db", "check")
    assert done.exit_code == 1
    assert "users_email_key" in done.stdout
    assert "integrity: ok" not in done.stdout
    assert done.stderr == (
        "vestibule: the database file is damaged: restore a backup\n"
    )


def test_check_shows_no_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, on_postgresql: str
) -> None:
    """The address is shown without what opens the database."""
    url = on_postgresql.replace("vestibule@", "vestibule:s3cret@")
    monkeypatch.setenv("DATABASE_URL", f"{url}?sslpassword=s4cret")
    done = run("db", "check")
    assert done.exit_code == 0
    assert "postgresql+psycopg://vestibule:***@127.0.0.1" in done.stdout
    assert "s3cret" not in done.output
    assert "s4cret" not in done.output

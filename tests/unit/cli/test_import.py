#!/usr/bin/env python3
"""`db import-json`: which rows are added or refused, and the output."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.test_import_rows import ROW
from vestibule.accounts.authentication import check_credentials
from vestibule.accounts.permissions import LOCAL
from vestibule.db import engine
from vestibule.db.models.user import User


def row(key: str, **fields: Any) -> dict[str, Any]:
    """Return a row with an email of its own, and the `fields` given."""
    return ROW | {"id": key, "email": f"{key}@old.example"} | fields


def store(folder: Path, *rows: dict[str, Any]) -> str:
    """Write a store of the `rows` and return the file's name."""
    file = folder / ".db_User.json"
    file.write_text(json.dumps({row["id"]: row for row in rows}))
    return str(file)


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    """Write a store in which each row has another result."""
    return store(
        tmp_path,
        row("good"),
        row("here", email="other@old.example"),
        row("taken", email=" Present@OLD.example"),
        row("twice", email="GOOD@old.example"),
        row("freed", email="other@old.example"),
        row("b\x1b[d", _password="clear text"),
        row("none", email=None),
    )


ERROR_LINES = [
    "here: already there",
    "taken: bad: email is already registered",
    "twice: bad: email is already registered",
    "b\\x1b[d: bad: _password must be a SHA-256 of 64 hex digits",
    "vestibule: some rows are bad; the others are not affected",
]


def test_import_adds_good_rows_and_names_bad_ones(
    any_database: str, run: Run, mixed: str
) -> None:
    """Users that exist stay as they are."""
    User(id="here", email="here@old.example").save()
    User(id="there", email="present@old.example").save()
    done = run("db", "import-json", mixed)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == ERROR_LINES
    assert done.stdout == "3 imported, 1 already there, 3 bad\n"
    assert {user.id: user.email for user in User.all()} == {
        "here": "here@old.example",
        "there": "present@old.example",
        "good": "good@old.example",
        "freed": "other@old.example",
        "none": None,
    }


def test_dry_run_prints_the_same_and_writes_nothing(
    any_database: str, run: Run, mixed: str
) -> None:
    """Every line is the one of the import, and nothing is written."""
    User(id="here", email="here@old.example").save()
    User(id="there", email="present@old.example").save()
    done = run("db", "import-json", "--dry-run", mixed)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == ERROR_LINES
    assert done.stdout == (
        "dry run, nothing was written: 3 imported, 1 already there, 3 bad\n"
    )
    assert User.count() == 2


def test_dry_run_creates_no_database(
    run: Run, tmp_path: Path, mixed: str
) -> None:
    """A database that does not exist still does not afterwards."""
    done = run("db", "import-json", mixed, "--dry-run")
    assert done.stdout.endswith("4 imported, 0 already there, 3 bad\n")
    assert [path.name for path in tmp_path.iterdir()] == [".db_User.json"]


def test_dry_run_does_not_upgrade_the_schema(run: Run, mixed: str) -> None:
    """With another version's schema, it says what to do first."""
    User.count()
    with engine.database().transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE vestibule_version SET version_num = '0000'"
        )
    done = run("db", "import-json", mixed, "--dry-run")
    assert done.exit_code == 1
    assert "run: python -m vestibule db upgrade" in done.stderr


def test_import_keeps_ids_and_dates(
    any_database: str, run: Run, tmp_path: Path
) -> None:
    """Id and both dates are those of the old store."""
    assert run("db", "import-json", store(tmp_path, ROW)).exit_code == 0
    (user,) = User.all()
    assert user.to_json() == {
        "id": "one",
        "email": "Bob@Example.com",
        "created_at": "2017-09-25 01:55:17",
        "updated_at": "2018-01-02 03:04:05",
        "first_name": "Bob",
        "last_name": None,
    }
    assert user.updated_at == datetime(
        2018, 1, 2, 3, 4, 5, tzinfo=timezone.utc
    )


def test_first_login_rehashes_an_imported_password(
    any_database: str, run: Run, tmp_path: Path
) -> None:
    """The first login with the old password leaves an argon2id hash."""
    run("db", "import-json", store(tmp_path, ROW))
    (user,) = User.search({"email": "bob@example.com"})
    assert (user.password or "").startswith("$sha256$")
    assert check_credentials([user], "", "wrong password", actor=LOCAL) is None
    assert check_credentials([user], "", "toto1234", actor=LOCAL) == user
    (user,) = User.search({"email": "bob@example.com"})
    assert (user.password or "").startswith("$argon2id$")
    assert check_credentials([user], "", "toto1234", actor=LOCAL) == user


def test_second_import_changes_nothing(
    any_database: str, run: Run, tmp_path: Path
) -> None:
    """A second import finds all of them there, and changes none."""
    file = store(tmp_path, row("a"), row("b"))
    run("db", "import-json", file)
    changed = User.get("a")
    assert changed
    changed.first_name = "New"
    changed.save()
    done = run("db", "import-json", file)
    assert done.exit_code == 0
    assert done.stdout == "0 imported, 2 already there, 0 bad\n"
    kept = User.get("a")
    assert kept and kept.first_name == "New"


def test_second_row_of_a_key_is_refused(run: Run, tmp_path: Path) -> None:
    """The first of two rows goes in, the second is named."""
    file = tmp_path / "double.json"
    text = json.dumps(row("a"))
    file.write_text(f'{{"a": {text}, "a": {text}, "": {text}}}')
    done = run("db", "import-json", str(file))
    assert done.stdout == "1 imported, 0 already there, 2 bad\n"
    assert "a: bad: the key is in the file twice" in done.stderr
    assert "(empty key): bad: id must be the key" in done.stderr


def test_file_that_is_no_store_is_an_error(run: Run, tmp_path: Path) -> None:
    """The whole file is refused in one line."""
    file = tmp_path / "broken.json"
    file.write_text('{"a": ')
    done = run("db", "import-json", str(file))
    assert done.exit_code == 1
    assert done.stderr.startswith("vestibule: the file is not JSON: ")
    assert done.stderr.count("\n") == 1


def test_missing_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    """The error names the file."""
    done = run("db", "import-json", str(tmp_path / "none"))
    assert done.exit_code == 2


def test_inserted_user_can_be_saved(any_database: str) -> None:
    """An inserted object is like a saved one: it can change."""
    user = User(id="a", email="a@old.example")
    assert user.insert()
    user.first_name = "Al"
    user.save_changes()
    assert not User(id="a", email="a@old.example").insert()
    (kept,) = User.all()
    assert kept.first_name == "Al"

#!/usr/bin/env python3
"""`users import`: the accounts of a file are added, row by row."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import PASSWORD, Run
from vestibule.accounts import imports
from vestibule.accounts.imports import ROWS_AHEAD, WithoutPassword, add_users
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import set_forgotten_password
from vestibule.cli.arguments import current_actor
from vestibule.core import passwords
from vestibule.db.models.user import User

#: Why the rows of the test of bad rows are refused, by their numbers.
REASONS = {
    4: "email is not an email address",
    5: "email must be a string",
    6: "email must be a string",
    7: "password is missing",
    8: "password must have at least 8 characters",
    9: "password must be a string",
    10: "role must be one of member, admin",
    11: "the row may have email, first_name, last_name, role, password"
    " and nothing else",
    12: "last_name contains an invalid character",
    13: "the row is not one JSON object",
    14: "the row is not one JSON object",
    15: "the row is not one JSON object",
    16: "the row has a field twice",
}


def by_email() -> dict[str | None, User]:
    """Return the stored users by their emails."""
    return {user.email: user for user in User.all()}


def write(folder: Path, text: str | bytes) -> str:
    """Write a file of rows and return its name."""
    file = folder / "rows"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(file)


def test_rows_of_csv_are_added_with_names_roles_and_passwords(
    any_database: str, run: Run, tmp_path: Path
) -> None:
    """Columns come in any order, and an empty cell is missing."""
    file = write(
        tmp_path,
        "\ufeffpassword,email,role,first_name\n"
        f'{PASSWORD},a@example.com,admin,"Dy, A"\n'
        f"{PASSWORD},b@example.com,,\n",
    )
    done = run("users", "import", file)
    assert done.exit_code == 0
    assert done.stderr == "2 added, 0 already there, 0 bad\n"
    users = by_email()
    amy, bob = users["a@example.com"], users["b@example.com"]
    assert (amy.role, amy.first_name) == ("admin", "Dy, A")
    assert (bob.role, bob.first_name) == ("member", None)
    assert all(user.is_valid_password(PASSWORD) for user in (amy, bob))
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["row", "email", "id", "result", "code"],
        ["1", "a@example.com", amy.id, "added", "-"],
        ["2", "b@example.com", bob.id, "added", "-"],
    ]


def test_bad_rows_are_named_and_the_others_added(
    any_database: str, run: Run, tmp_path: Path
) -> None:
    """No message repeats what may be a password."""
    User(email="Old@example.com").save()
    rows = [
        {"email": "a@example.com", "password": PASSWORD},
        {"email": "old@example.com", "password": PASSWORD},
        {"email": "A@example.com", "password": PASSWORD},
        {"email": "no address", "password": "secret of c"},
        {"email": 7, "password": PASSWORD},
        {"password": PASSWORD},
        {"email": "d@example.com"},
        {"email": "e@example.com", "password": "short"},
        {"email": "f@example.com", "password": ["x"]},
        {"email": "g@example.com", "password": PASSWORD, "role": "king"},
        {"email": "h@example.com", "password": PASSWORD, "id": "mine"},
        {"email": "i@example.com", "password": PASSWORD, "last_name": "\0"},
    ]
    lines = [json.dumps(row) for row in rows]
    lines += ["", "[]", "{", "[" * 70_000, '{"email":"a","email":"b"}']
    file = write(tmp_path, "\n".join(lines))
    done = run("users", "import", file, "--format", "jsonl", "--json")
    assert done.exit_code == 1
    assert done.stderr == (
        "1 added, 2 already there, 13 bad\n"
        "vestibule: some rows are bad; the others are not affected\n"
    )
    results = json.loads(done.stdout)
    assert [each["result"] for each in results] == [
        "added",
        "already there",
        "already there",
        *["bad"] * 13,
    ]
    assert {each["row"]: each["error"] for each in results[3:]} == REASONS
    assert "secret of c" not in done.output
    assert set(by_email()) == {"Old@example.com", "a@example.com"}


def test_second_import_of_a_file_changes_nothing(
    any_database: str, run: Run, tmp_path: Path
) -> None:
    """An interrupted import is repeated with the same file."""
    file = write(tmp_path, f"email,password\na@example.com,{PASSWORD}\n")
    run("users", "import", file)
    before = by_email()["a@example.com"]
    done = run("users", "import", file)
    assert done.exit_code == 0
    assert done.stderr == "0 added, 1 already there, 0 bad\n"
    after = by_email()["a@example.com"]
    assert (after.id, after.password) == (before.id, before.password)


def test_invited_users_get_codes_that_set_their_passwords(
    any_database: str, run: Run
) -> None:
    """Each code belongs to its row, and the events name the actor."""
    done = run(
        *("users", "import", "-", "--invite", "--json"),
        typed="email\na@example.com\nb@example.com\n",
    )
    results = json.loads(done.stdout)
    assert len({each["code"] for each in results}) == 2
    for each in results:
        set_forgotten_password(
            each["email"], each["code"], f"of {each['email']}", actor=LOCAL
        )
    for email, user in by_email().items():
        assert user.is_valid_password(f"of {email}")
    shown = json.loads(run("events", "list", "--json").stdout)
    by = current_actor().id
    kinds = [each["kind"] for each in shown if each["by_id"] == by]
    assert sorted(kinds) == ["reset_code_issued"] * 2 + ["user_added"] * 2


def test_no_password_adds_users_who_cannot_sign_in(
    any_database: str, run: Run
) -> None:
    """They have neither a password nor a code."""
    done = run("users", "import", "-", "--no-password", typed="email\na@b.de")
    assert done.exit_code == 0
    assert by_email()["a@b.de"].password is None
    assert done.stdout.endswith("added\t-\n")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the first line must have names of email, first_name"),
        ("name,password\n", "the first line must have names of email"),
        ("email,secret\n", "the first line must have names of email"),
        ("email,email\n", "the first line has a column twice"),
        ('email\n"a', "the file is not CSV after line 2"),
        (b"email\n\xff@example.com\n", "the file is not UTF-8"),
    ],
)
def test_file_that_is_not_csv_is_refused(
    run: Run, tmp_path: Path, content: str | bytes, why: str
) -> None:
    """The error is one line, and no user is added."""
    done = run("users", "import", write(tmp_path, content), "--no-password")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"vestibule: {why}")
    assert done.stderr.count("\n") == 1
    assert User.count() == 0


def test_row_with_another_number_of_cells_is_bad(
    run: Run, tmp_path: Path
) -> None:
    """A cell that slipped into another column is not guessed."""
    file = write(tmp_path, "email,role\na@b.de\n\nc@d.de,admin,x\ne@f.de,\n")
    done = run("users", "import", file, "--no-password")
    assert done.exit_code == 1
    assert done.stdout.count("has another number of cells") == 2
    assert set(by_email()) == {"e@f.de"}


def test_passwords_are_hashed_on_all_cores_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No hash ends before as many run at once, and few rows are ahead."""
    cores, rows, given = 3, 30, 0
    hashed = passwords.hash_password(PASSWORD)
    together = threading.Barrier(cores)

    def meet(*_: Any) -> str:
        """Return a hash once all hash threads are here."""
        together.wait(30)
        return hashed

    def counted() -> Iterator[dict[str, Any]]:
        """Yield rows, and count them."""
        nonlocal given
        for given in range(1, rows + 1):
            yield {"email": f"a{given}@example.com", "password": PASSWORD}

    passwords._hash_threads.cache_clear()
    for module in (imports, passwords):
        monkeypatch.setattr(module, "usable_cores", lambda: cores)
    monkeypatch.setattr(passwords, "_timed", meet)
    try:
        added = add_users(counted(), WithoutPassword.REFUSE)
        numbers = [next(added).number]
        assert given <= ROWS_AHEAD * cores + 1 < rows
        numbers += [each.number for each in added]
    finally:
        passwords._hash_threads.cache_clear()
    assert numbers == list(range(1, rows + 1))
    assert User.count() == rows


def test_rows_after_the_last_wanted_one_are_not_stored() -> None:
    """As after Ctrl-C: what was reported is stored, and nothing else."""
    rows = ({"email": f"a{number}@example.com"} for number in range(100))
    added = add_users(rows, WithoutPassword.ALLOW)
    assert [next(added).number, next(added).number] == [1, 2]
    added.close()
    assert set(by_email()) == {"a0@example.com", "a1@example.com"}

#!/usr/bin/env python3
"""Commands for scripts: JSON results, `users set`, `users show`, events."""

import json
from typing import Any

import click
import pytest

from tests.unit.cli.conftest import PASSWORD, Run
from tests.unit.cli.test_documentation import commands
from vestibule.cli import program
from vestibule.cli.arguments import current_actor
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import RESET_CODES

#: Commands whose output has a format of its own, or that do not end.
_OTHER_OUTPUT = {
    "completion",
    "events export",
    "openapi",
    "secrets new",
    "serve",
}


def stored(email: str) -> User:
    """Return the one user that has this `email`."""
    (user,) = User.search({"email": email})
    return user


def codes() -> int:
    """Return how many reset codes are stored."""
    return len(database().fetch_all(RESET_CODES.select()))


def events_of(run: Run) -> list[tuple[str, str]]:
    """Return the kind and the actor of all events, oldest first."""
    shown = json.loads(run("events", "list", "--json").stdout)
    return [(each["kind"], each["by_id"]) for each in reversed(shown)]


@pytest.fixture
def bob() -> User:
    """Store a user with a name, a password and a session."""
    user = User(email="bob@example.com", first_name="Bob")
    user.password = PASSWORD
    user.save()
    UserSession(user_id=user.id, session_id="secret id").save()
    return user


def test_every_command_takes_json_unless_its_output_has_a_format() -> None:
    """A new command without the option has to be named here."""
    without = {
        name
        for name, command in commands(program)
        if not any(
            "--json" in parameter.opts
            for parameter in command.params
            if isinstance(parameter, click.Option)
        )
    }
    assert without == _OTHER_OUTPUT


@pytest.mark.parametrize(
    ("words", "typed", "expected"),
    [
        ("users set bob@example.com --first-name Rob", None, "first_name"),
        ("users email bob@example.com rob@example.com", None, "email"),
        ("users role bob@example.com admin", None, "role"),
        ("users disable bob@example.com", None, "disabled"),
        ("users enable bob@example.com", None, "disabled"),
        ("users passwd bob@example.com", "another password\n", "id"),
        ("users reset-code bob@example.com", None, "code"),
        ("users remove bob@example.com --yes", None, "id"),
        ("users show bob@example.com", None, "has_password"),
        ("users add a@example.com", f"{PASSWORD}\n", "id"),
        ("users add a@example.com --invite", None, "expires_at"),
        ("users add a@example.com --no-password", None, "id"),
        ("sessions end --user bob@example.com", None, "ended"),
        ("sessions purge", None, "deleted"),
        ("identity rotate", None, "id"),
        ("db upgrade", None, "revision"),
        ("db check", None, "faults"),
    ],
)
def test_json_result_is_one_object_on_one_line(
    any_database: str,
    run: Run,
    bob: User,
    words: str,
    typed: str | None,
    expected: str,
) -> None:
    """A script parses standard output as it is."""
    done = run(*words.split(), "--json", typed=typed)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    result = json.loads(done.stdout)
    assert expected in result
    assert PASSWORD not in done.stdout


def test_files_are_named_in_json(run: Run, bob: User, tmp_path: Any) -> None:
    """The commands that write or read files say which, in JSON too."""
    copy, env = str(tmp_path / "copy.db"), str(tmp_path / "env")
    done = run("db", "backup", copy, "--json")
    assert json.loads(done.stdout) == {"file": copy}
    done = run("db", "restore", copy, "--json")
    assert json.loads(done.stdout)["file"] == copy
    done = run("init", env, "--json")
    assert json.loads(done.stdout) == {"file": env}
    (tmp_path / "rows.json").write_text("{}")
    done = run("db", "import-json", str(tmp_path / "rows.json"), "--json")
    assert json.loads(done.stdout) == {
        "dry_run": False,
        "imported": 0,
        "present": 0,
        "bad": 0,
    }


def test_show_names_status_and_sessions_without_secrets(
    any_database: str, run: Run, bob: User
) -> None:
    """Each member is a line, and no hash and no session id is among them."""
    done = run("users", "show", "bob@example.com")
    lines = dict(line.split("\t") for line in done.stdout.splitlines())
    assert lines["id"] == bob.id
    assert (lines["has_password"], lines["disabled"]) == ("yes", "no")
    assert (lines["sessions"], lines["last_name"]) == ("1", "-")
    assert "argon2" not in done.stdout
    assert "secret id" not in done.stdout
    shown = json.loads(run("users", "show", bob.id, "--json").stdout)
    assert list(shown) == list(lines)
    assert shown["has_password"] is True


def test_show_escapes_control_characters(run: Run) -> None:
    """A name cannot control the terminal."""
    User(id="x", first_name="\x1b[2J\ny").save()
    done = run("users", "show", "x")
    assert "first_name\t\\x1b[2J\\ny\n" in done.stdout


def test_set_changes_email_names_and_role_together(
    any_database: str, run: Run, bob: User
) -> None:
    """The events name the command's user; the sessions stay."""
    done = run(
        *("users", "set", bob.id, "--email", "rob@example.com"),
        *("--first-name", "", "--last-name", "Dy", "--role", "admin"),
    )
    assert done.stdout == f"changed rob@example.com ({bob.id})\n"
    user = stored("rob@example.com")
    assert (user.first_name, user.last_name) == (None, "Dy")
    assert user.role == Role.ADMIN
    assert user.is_valid_password(PASSWORD)
    assert UserSession.count() == 1
    by = current_actor().id
    assert events_of(run) == [("email_changed", by), ("role_changed", by)]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--email amy@example.com", "email is already registered"),
        ("--email amy", "email is not an email address"),
        ("--last-name " + "x" * 201, "last_name must have at most 200"),
        ("--role member", "the last admin cannot be demoted"),
    ],
)
def test_set_changes_nothing_if_one_value_is_refused(
    any_database: str, run: Run, bob: User, options: str, why: str
) -> None:
    """The first name and the reset code are as before, and no event."""
    bob.role = Role.ADMIN.value
    bob.save()
    User(email="amy@example.com").save()
    run("users", "reset-code", bob.id)
    before = events_of(run)
    done = run("users", "set", bob.id, "--first-name", "New", *options.split())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"vestibule: {why}")
    user = stored("bob@example.com")
    assert (user.first_name, user.role) == ("Bob", "admin")
    assert codes() == 1
    assert events_of(run) == before


def test_set_of_names_keeps_the_reset_code_and_an_email_revokes_it(
    any_database: str, run: Run, bob: User
) -> None:
    """A code must not outlive the email for which it was issued."""
    run("users", "reset-code", bob.id)
    run("users", "set", bob.id, "--first-name", "Rob")
    assert codes() == 1
    run("users", "set", bob.id, "--email", "rob@example.com")
    assert codes() == 0


def test_set_needs_a_value(run: Run, bob: User) -> None:
    """Without an option there is nothing to change, which is wrong usage."""
    done = run("users", "set", bob.id)
    assert done.exit_code == 2
    assert "give --email" in done.stderr


@pytest.mark.parametrize("way", ["--invite", "--no-password"])
def test_user_without_a_password_is_added_with_its_role(
    any_database: str, run: Run, way: str
) -> None:
    """Nothing is read; only an invitation prints a code, on one line."""
    done = run("users", "add", "a@example.com", "--role", "admin", way)
    assert done.exit_code == 0
    user = stored("a@example.com")
    assert (user.role, user.password) == ("admin", None)
    by = current_actor().id
    expected = [("user_added", by), ("role_changed", by)]
    if way == "--invite":
        assert len(done.stdout.split()) == 1
        expected.append(("reset_code_issued", by))
    else:
        assert done.stdout == f"added a@example.com ({user.id})\n"
    assert codes() == (way == "--invite")
    assert events_of(run) == expected


def test_invite_and_no_password_exclude_each_other(run: Run) -> None:
    """Both together are wrong usage, and no user is added."""
    words = ("a@example.com", "--invite", "--no-password")
    assert run("users", "add", *words).exit_code == 2
    assert User.count() == 0


def test_role_that_does_not_exist_is_wrong_usage(run: Run) -> None:
    """No user is added with a role that nothing knows."""
    done = run("users", "add", "a@example.com", "--role", "king")
    assert done.exit_code == 2
    assert User.count() == 0


def test_end_all_ends_the_sessions_of_every_user(
    any_database: str, run: Run, bob: User
) -> None:
    """The event names no user, but who ended them."""
    UserSession(user_id="another", session_id="other id").save()
    done = run("sessions", "end", "--all")
    assert done.stdout == "ended 2 sessions\n"
    assert UserSession.count() == 0
    assert events_of(run) == [("sessions_revoked", current_actor().id)]


@pytest.mark.parametrize(
    "words", [(), ("--all", "--user", "bob@example.com"), ("--all", "x")]
)
def test_end_takes_one_way_to_name_sessions(
    run: Run, bob: User, words: tuple[str, ...]
) -> None:
    """None or two of them are wrong usage, and no session ends."""
    assert run("sessions", "end", *words).exit_code == 2
    assert UserSession.count() == 1


def test_unknown_session_is_in_the_json_and_the_exit_code(
    run: Run, bob: User
) -> None:
    """The sessions that exist end all the same."""
    (session,) = UserSession.all()
    done = run("sessions", "end", session.id, "nothing", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"ended": 1, "unknown": ["nothing"]}


@pytest.mark.parametrize("auth_type", ["session_db_auth", "basic_auth", ""])
def test_openapi_is_the_document_of_these_settings(
    run: Run, monkeypatch: pytest.MonkeyPatch, auth_type: str
) -> None:
    """It needs no database and no running service."""
    monkeypatch.setenv("AUTH_TYPE", auth_type)
    monkeypatch.setenv("SESSION_NAME", "_my_id")
    monkeypatch.setenv("BASE_PATH", "/auth")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/x.db")
    done = run("openapi")
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    assert shown["openapi"].startswith("3.1")
    assert shown["servers"][0]["url"] == "/auth"
    me = shown["paths"]["/api/v1/users/me"]["get"]
    named = [name for each in me["security"] for name in each]
    assert (
        named
        == {
            "session_db_auth": ["session"],
            "basic_auth": ["basic"],
            "": [],
        }[auth_type]
    )

#!/usr/bin/env python3
"""`users`: accounts are added, shown, removed and given new passwords."""

import io

import click
import pytest

from tests.unit.cli.conftest import PASSWORD, Run
from vestibule.cli import arguments, output
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


def stored(email: str) -> User:
    """Return the one user that has this `email`."""
    (user,) = User.search({"email": email})
    return user


@pytest.fixture
def bob() -> User:
    """Store a user with names and a session."""
    user = User(email="bob@example.com", first_name="Bob", last_name="Dy")
    user.password = PASSWORD
    user.save()
    UserSession(user_id=user.id, session_id="secret id").save()
    return user


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a user at a terminal type the input."""
    monkeypatch.setattr(arguments, "is_interactive", lambda: True)


def test_add_stores_names_and_password(any_database: str, run: Run) -> None:
    """The account has its names and the password of the line."""
    done = run(
        "users",
        "add",
        "bob@example.com",
        "--first-name",
        "Bob",
        "--last-name",
        "Dy",
        typed=f"{PASSWORD}\nanother line\n",
    )
    assert done.exit_code == 0
    user = stored("bob@example.com")
    assert done.stdout == f"added bob@example.com ({user.id})\n"
    assert (user.first_name, user.last_name) == ("Bob", "Dy")
    assert user.is_valid_password(PASSWORD)


@pytest.mark.parametrize(
    ("typed", "password"),
    [
        (b"eight  8\r\n", "eight  8"),
        (b" with blanks \n", " with blanks "),
        (b"no line's end", "no line's end"),
        ("päßwörter\n".encode(), "päßwörter"),
    ],
)
def test_password_is_the_whole_line(
    run: Run, typed: bytes, password: str
) -> None:
    """Only the end of the line is taken off."""
    assert run("users", "add", "a@example.com", typed=typed).exit_code == 0
    assert stored("a@example.com").is_valid_password(password)


@pytest.mark.parametrize(
    ("email", "typed", "why"),
    [
        ("no address", PASSWORD, "email is not an email address"),
        ("\udcff@example.com", PASSWORD, "email is not an email address"),
        ("a@example.com", "", "password is expected on standard input"),
        ("a@example.com", "\n", "password must have at least 8 characters"),
        ("a@example.com", b"\xff" * 9, "password is not valid UTF-8"),
    ],
)
def test_add_refuses_what_registration_refuses(
    run: Run, email: str, typed: str | bytes, why: str
) -> None:
    """The error is one line, and no user is stored."""
    done = run("users", "add", email, typed=typed)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"vestibule: {why}\n"
    assert User.count() == 0


def test_add_refuses_a_taken_email(
    any_database: str, run: Run, bob: User
) -> None:
    """A second account for the same address is refused."""
    done = run("users", "add", "BOB@example.com", typed=PASSWORD)
    assert done.exit_code == 1
    assert done.stderr == "vestibule: email is already registered\n"


@pytest.mark.usefixtures("person")
def test_terminal_user_types_the_password_twice(run: Run) -> None:
    """Two different ones are asked for again, and none is shown."""
    done = run(
        "users",
        "add",
        "a@example.com",
        typed=f"one password\nanother one\n{PASSWORD}\n{PASSWORD}\n",
    )
    assert done.exit_code == 0
    assert stored("a@example.com").is_valid_password(PASSWORD)
    assert PASSWORD not in done.output


def test_list_has_tabs_and_the_oldest_first(
    any_database: str, run: Run, bob: User
) -> None:
    """A program gets lines with tabs, oldest first."""
    nameless = User()
    nameless.save()
    done = run("users", "list")
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["id", "email", "name", "role", "disabled", "created (UTC)"],
        [
            bob.id,
            "bob@example.com",
            "Bob Dy",
            "member",
            "no",
            bob.to_json()["created_at"],
        ],
        [
            nameless.id,
            "-",
            "-",
            "member",
            "no",
            nameless.to_json()["created_at"],
        ],
    ]


def test_list_escapes_control_characters(run: Run) -> None:
    """Control characters of an email are shown, not sent."""
    User(email="\x1b[2J\t\u202e[bold]x").save()
    done = run("users", "list")
    assert "\\x1b[2J\\t\\u202e[bold]x\t" in done.stdout


class Screen(io.StringIO):
    """A stream that counts as a terminal."""

    def isatty(self) -> bool:
        """Return True, as for a terminal."""
        return True


@pytest.mark.parametrize("width", ["30", "200"])
def test_list_is_a_table_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    """It fits the terminal, and no part of a cell is left out."""
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", width)
    output.show_table(("A", "B"), [("[bold]" * 3, "\x1b[2J")])
    shown = click.unstyle(screen.getvalue())
    assert max(map(len, shown.splitlines())) <= int(width)
    assert sorted("".join(shown.split())) == sorted(
        "AB" + "[bold]" * 3 + "\\x1b[2J"
    )


@pytest.mark.parametrize("colors", [True, False])
def test_dumb_terminal_gets_no_escape_sequence(
    monkeypatch: pytest.MonkeyPatch, colors: bool
) -> None:
    """A terminal that understands no escape sequence gets none."""
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm" if colors else "dumb")
    output.show_table(("A",), [("b",)])
    assert ("\x1b[1m" in screen.getvalue()) is colors


@pytest.mark.parametrize("by", ["id", "email"])
def test_remove_deletes_the_user_and_its_sessions(
    any_database: str, run: Run, bob: User, by: str
) -> None:
    """The account and its sessions are gone."""
    done = run("users", "remove", getattr(bob, by), "--yes")
    assert done.stdout == f"removed bob@example.com ({bob.id})\n"
    assert (User.count(), UserSession.count()) == (0, 0)


def test_remove_without_a_terminal_needs_yes(run: Run, bob: User) -> None:
    """Without a terminal to ask on, --yes is needed."""
    done = run("users", "remove", bob.id)
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert User.count() == 1


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1), ("", 1)])
def test_remove_needs_a_yes_on_a_terminal(
    run: Run, bob: User, answer: str, left: int
) -> None:
    """Only a yes removes; anything else is exit code 1."""
    done = run("users", "remove", bob.id, typed=f"{answer}\n")
    assert done.exit_code == left
    assert User.count() == left


def test_passwd_changes_the_password_and_keeps_sessions(
    any_database: str, run: Run, bob: User
) -> None:
    """The new password is right, the old one wrong, sessions go on."""
    done = run("users", "passwd", "bob@example.com", typed="a new password")
    assert done.exit_code == 0
    assert done.stdout == (
        f"changed the password of bob@example.com ({bob.id})\n"
    )
    user = stored("bob@example.com")
    assert user.is_valid_password("a new password")
    assert not user.is_valid_password(PASSWORD)
    assert (user.first_name, user.created_at) == ("Bob", bob.created_at)
    assert UserSession.count() == 1


def test_passwd_refuses_what_registration_refuses(run: Run, bob: User) -> None:
    """A password that registration would refuse changes nothing."""
    done = run("users", "passwd", bob.id, typed="short")
    assert done.exit_code == 1
    assert "at least 8 characters" in done.stderr
    assert stored("bob@example.com").is_valid_password(PASSWORD)


def test_user_without_an_email_is_named_by_id(run: Run) -> None:
    """The line of success names an account by what it has."""
    User(id="an id").save()
    done = run("users", "remove", "an id", "--yes")
    assert done.stdout == "removed an id\n"


@pytest.mark.parametrize(
    "command",
    [
        ("users", "remove", "--yes"),
        ("users", "passwd"),
        ("sessions", "list", "--user"),
    ],
)
def test_unknown_user_is_named(run: Run, command: tuple[str, ...]) -> None:
    """The error names the argument in one line."""
    User.count()
    done = run(*command, "no\x1bbody")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "vestibule: there is no user with the email or id no\\x1bbody;"
        " see: python -m vestibule users list\n"
    )


def test_ambiguous_name_is_refused(run: Run, bob: User) -> None:
    """An id that is also another's email removes no user."""
    User(email=bob.id).save()
    done = run("users", "remove", bob.id, "--yes")
    assert done.exit_code == 1
    assert "the email of another" in done.stderr
    assert User.count() == 2


def test_id_that_equals_the_users_email_is_accepted(run: Run) -> None:
    """One user who is found in both ways is one user."""
    User(id="same", email="same").save()
    assert run("users", "remove", "same", "--yes").exit_code == 0


def test_email_is_changed(any_database: str, run: Run, bob: User) -> None:
    """An address of another user, or none at all, is refused."""
    User(email="amy@example.com").save()
    done = run("users", "email", "bob@example.com", " Robert@nas.local ")
    assert done.exit_code == 0
    assert done.stdout == (
        f"changed the email to Robert@nas.local ({bob.id})\n"
    )
    assert stored("robert@nas.local").id == bob.id
    for email, why in (
        ("AMY@example.com", "email is already registered"),
        ("amy", "email is not an email address"),
        ("a" * 255, "email is not an email address"),
    ):
        done = run("users", "email", bob.id, email)
        assert done.exit_code == 1
        assert why in done.stderr
    assert stored("robert@nas.local").id == bob.id

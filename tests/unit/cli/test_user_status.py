#!/usr/bin/env python3
"""`users role`, `disable`, `enable` and `reset-code`."""

import pytest

from tests.unit.cli.conftest import PASSWORD, Run
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import set_forgotten_password
from vestibule.core.errors import WrongCode
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


@pytest.fixture
def bob() -> User:
    """Store a member with a session."""
    user = User(email="bob@example.com")
    user.password = PASSWORD
    user.save()
    UserSession(user_id=user.id, session_id="secret id").save()
    return user


def again(user: User) -> User:
    """Return the user as it is stored now."""
    found = User.get(user.id)
    assert found is not None
    return found


@pytest.mark.parametrize("by", ["id", "email"])
def test_role_changes_both_ways(
    any_database: str, run: Run, bob: User, by: str
) -> None:
    """The account becomes an admin's, and a member's again."""
    User(email="root@example.com", id="root").save()
    assert run("users", "role", "root", "admin").exit_code == 0
    for role in ("admin", "member"):
        done = run("users", "role", getattr(bob, by), role)
        assert done.stdout == f"bob@example.com ({bob.id}) is {role} now\n"
        assert again(bob).role == role
    assert UserSession.count() == 1


def test_unknown_role_is_refused(run: Run, bob: User) -> None:
    """The error names both roles."""
    done = run("users", "role", bob.id, "owner")
    assert done.exit_code == 2
    assert "'owner' is not one of 'member', 'admin'" in done.stderr


def test_disable_ends_sessions_and_enable_keeps_them_ended(
    any_database: str, run: Run, bob: User
) -> None:
    """Sessions end when the user is disabled."""
    done = run("users", "disable", "bob@example.com")
    assert done.stdout == f"disabled bob@example.com ({bob.id})\n"
    assert again(bob).disabled_at is not None
    assert UserSession.count() == 0
    assert "\tmember\tyes\t" in run("users", "list").stdout
    UserSession(user_id=bob.id, session_id="begun meanwhile").save()
    done = run("users", "enable", bob.id)
    assert done.stdout == f"enabled bob@example.com ({bob.id})\n"
    assert again(bob).disabled_at is None
    assert UserSession.count() == 0


@pytest.mark.parametrize(
    "command", [("role", "member"), ("disable",), ("remove", "--yes")]
)
def test_last_admin_is_refused(
    any_database: str, run: Run, bob: User, command: tuple[str, ...]
) -> None:
    """The only admin is not changed, and one line says why."""
    run("users", "role", bob.id, "admin")
    done = run("users", command[0], bob.id, *command[1:])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "vestibule: the last admin cannot be demoted, disabled or deleted\n"
    )
    assert (again(bob).role, again(bob).disabled_at) == ("admin", None)
    assert UserSession.count() == 1


def test_reset_code_is_printed_alone_and_works(
    any_database: str, run: Run, bob: User
) -> None:
    """A newer code replaces the one before."""
    before = run("users", "reset-code", bob.id).stdout.strip()
    done = run("users", "reset-code", "bob@example.com")
    code = done.stdout.removesuffix("\n")
    assert code not in done.stderr
    assert f"bob@example.com ({bob.id})" in done.stderr
    with pytest.raises(WrongCode):
        set_forgotten_password(
            "bob@example.com", before, "violet umbrella", actor=LOCAL
        )
    set_forgotten_password(
        "bob@example.com", code, "violet umbrella", actor=LOCAL
    )
    assert again(bob).is_valid_password("violet umbrella")
    assert UserSession.count() == 0


@pytest.mark.parametrize(
    "command",
    [
        ("role", "x", "admin"),
        ("disable", "x"),
        ("enable", "x"),
        ("reset-code", "x"),
    ],
)
def test_unknown_user_is_named(run: Run, command: tuple[str, ...]) -> None:
    """The error names the argument in one line."""
    User.count()
    done = run("users", *command)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "vestibule: there is no user with the email or id x;"
        " see: python -m vestibule users list\n"
    )

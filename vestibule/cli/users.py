#!/usr/bin/env python3
"""`users`: add, list, show, change and remove accounts."""

from itertools import chain
from typing import Any

import click

from vestibule.accounts import users as accounts
from vestibule.accounts.credentials import (
    change_email,
    check_email,
    set_password,
)
from vestibule.accounts.permissions import is_disabled
from vestibule.accounts.recovery import ResetCode, issue_code
from vestibule.accounts.second_factors import remove_all_factors
from vestibule.cli.arguments import (
    confirm,
    current_actor,
    find_user,
    read_new_password,
    refuse_older_schema,
    require_database,
)
from vestibule.cli.batch import code_object, import_users
from vestibule.cli.output import (
    format_time,
    json_option,
    show_json,
    show_result,
    show_table,
)
from vestibule.core.text import escape_control_characters
from vestibule.db.models.user import Role, User
from vestibule.db.models.user_session import UserSession

_ROLES = click.Choice([each.value for each in Role])


@click.group()
def users() -> None:
    """Work with the accounts."""


users.add_command(import_users)


@users.command()
@click.argument("email")
@click.option("--first-name", help="The user's first name.")
@click.option("--last-name", help="The user's last name.")
@click.option(
    "--role",
    type=_ROLES,
    default=Role.MEMBER.value,
    show_default=True,
    help="The user's role.",
)
@click.option(
    "--invite",
    is_flag=True,
    help="Set no password; print a code with which the user sets one.",
)
@click.option(
    "--no-password",
    is_flag=True,
    help="Set no password: the user cannot sign in before a reset code.",
)
@json_option
def add(
    email: str,
    first_name: str | None,
    last_name: str | None,
    role: str,
    invite: bool,
    no_password: bool,
    as_json: bool,
) -> None:
    """Add an account for EMAIL.

    The password is prompted for, or read from one line of standard input.
    """
    if invite and no_password:
        raise click.UsageError("give --invite or --no-password, not both")
    refuse_older_schema()
    check_email(email)
    names, actor, code = (first_name, last_name), current_actor(), None
    if invite:
        user, code = accounts.invite(email, *names, role=role, actor=actor)
    elif no_password:
        user = accounts.checked_user(email, *names, role=role)
        accounts.add_without_password(user, actor=actor)
    else:
        password = read_new_password()
        user = accounts.register(
            email, password, *names, role=role, actor=actor
        )
    if code is None:
        _show_user(user, "added {}", as_json)
    else:
        _show_code(user, code, "added", as_json)


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List the accounts, oldest first."""
    require_database()
    found = chain.from_iterable(User.search_pages())
    if as_json:
        show_json(map(_user_object, found))
        return
    show_table(
        ("id", "email", "name", "role", "disabled", "created (UTC)"),
        (
            (
                user.id,
                user.email,
                " ".join(filter(None, (user.first_name, user.last_name))),
                user.role,
                "yes" if is_disabled(user) else "no",
                user.to_json()["created_at"],
            )
            for user in found
        ),
    )


@users.command()
@click.argument("email_or_id")
@json_option
def show(email_or_id: str, as_json: bool) -> None:
    """Show an account: its names, role, status and sessions."""
    user = find_user(email_or_id)
    shown = _user_object(user) | {
        "disabled_at": format_time(user.disabled_at),
        "signed_in_at": format_time(user.signed_in_at),
        "has_password": user.password is not None,
        "sessions": len(UserSession.search({"user_id": user.id})),
    }
    if as_json:
        show_result(shown, "", as_json)
        return
    words = {None: "-", True: "yes", False: "no"}
    for name, value in shown.items():
        text = str(value)
        if value is None or isinstance(value, bool):
            text = words[value]
        click.echo(f"{name}\t{escape_control_characters(text)}")


@users.command("set")
@click.argument("email_or_id")
@click.option("--email", help="The new email.")
@click.option("--first-name", help="The new first name; empty for none.")
@click.option("--last-name", help="The new last name; empty for none.")
@click.option("--role", type=_ROLES, help="The new role.")
@json_option
def set_user(email_or_id: str, as_json: bool, **given: str | None) -> None:
    """Change the email, the names or the role of an account.

    All of them are changed, or none.
    """
    values: dict[str, str | None] = {
        name: value for name, value in given.items() if value is not None
    }
    if not values:
        raise click.UsageError(
            "give --email, --first-name, --last-name or --role"
        )
    for name in ("first_name", "last_name"):
        if name in values:
            values[name] = values[name] or None
    user = find_user(email_or_id)
    accounts.change(user, values, actor=current_actor())
    _show_user(user, "changed {}", as_json)


@users.command()
@click.argument("email_or_id")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def remove(email_or_id: str, yes: bool, as_json: bool) -> None:
    """Remove an account and end its sessions."""
    user = find_user(email_or_id)
    if not yes:
        confirm(f"Remove {_user_text(user)}?")
    accounts.remove(user, actor=current_actor())
    _show_user(user, "removed {}", as_json)


@users.command()
@click.argument("email_or_id")
@click.argument("role", type=_ROLES)
@json_option
def role(email_or_id: str, role: str, as_json: bool) -> None:
    """Make an account an admin or a member.

    Admins manage the other accounts. The last admin cannot be demoted.
    """
    user = find_user(email_or_id)
    accounts.set_role(user, role, actor=current_actor())
    _show_user(user, f"{{}} is {role} now", as_json)


@users.command("email")
@click.argument("email_or_id")
@click.argument("new_email")
@json_option
def set_email(email_or_id: str, new_email: str, as_json: bool) -> None:
    """Change the email of an account; its reset code stops working."""
    user = find_user(email_or_id)
    change_email(user, new_email, actor=current_actor())
    _show_user(user, "changed the email to {}", as_json)


@users.command("disable")
@click.argument("email_or_id")
@json_option
def disable_user(email_or_id: str, as_json: bool) -> None:
    """Disable an account and end its sessions."""
    user = find_user(email_or_id)
    accounts.disable(user, actor=current_actor())
    _show_user(find_user(user.id), "disabled {}", as_json)


@users.command("enable")
@click.argument("email_or_id")
@json_option
def enable_user(email_or_id: str, as_json: bool) -> None:
    """Enable a disabled account."""
    user = find_user(email_or_id)
    accounts.enable(user, actor=current_actor())
    _show_user(find_user(user.id), "enabled {}", as_json)


@users.command("reset-code")
@click.argument("email_or_id")
@json_option
def reset_code(email_or_id: str, as_json: bool) -> None:
    """Print a code with which the user sets a new password.

    It works once, within an hour. Earlier codes stop working.
    """
    user = find_user(email_or_id)
    code = issue_code(user, actor=current_actor())
    _show_code(user, code, "", as_json)


@users.command("remove-factors")
@click.argument("email_or_id")
@json_option
def remove_factors(email_or_id: str, as_json: bool) -> None:
    """Remove all authenticator apps and recovery codes of an account.

    For a user who lost the phone and the codes: make sure that it is them.
    """
    user = find_user(email_or_id)
    number = remove_all_factors(user, actor=current_actor())
    apps = "1 app" if number == 1 else f"{number} apps"
    show_result(
        _user_object(user) | {"removed": number},
        f"removed {apps} of {_user_text(user)}",
        as_json,
    )


@users.command()
@click.argument("email_or_id")
@json_option
def passwd(email_or_id: str, as_json: bool) -> None:
    """Set the password of an account; its sessions stay.

    The password is prompted for, or read from one line of standard input.
    """
    user = find_user(email_or_id)
    set_password(user, read_new_password(), actor=current_actor())
    _show_user(user, "changed the password of {}", as_json)


def _show_user(user: User, line: str, as_json: bool) -> None:
    """Print what was done: `line` with the user, or the user as JSON."""
    show_result(_user_object(user), line.format(_user_text(user)), as_json)


def _show_code(user: User, code: ResetCode, done: str, as_json: bool) -> None:
    """Print a code alone on standard output, or in the user's JSON."""
    if not as_json:
        before = f"{done} {_user_text(user)}, who" if done else None
        click.echo(
            f"{before or _user_text(user)} can set a new password"
            f" until {format_time(code.expires_at)} (UTC) with this code:",
            err=True,
        )
    show_result(_user_object(user) | code_object(code), code.code, as_json)


def _user_object(user: User) -> dict[str, Any]:
    """Return a user as JSON shows it."""
    return user.to_json() | {"role": user.role, "disabled": is_disabled(user)}


def _user_text(user: User) -> str:
    """Return a user as messages name it, safe for a terminal."""
    if user.email is None:
        return escape_control_characters(user.id)
    return escape_control_characters(f"{user.email} ({user.id})")

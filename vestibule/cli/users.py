#!/usr/bin/env python3
"""`users`: add, list, change and remove accounts."""

from itertools import chain

import click

from vestibule.accounts import users as removal
from vestibule.accounts.credentials import (
    change_email,
    check_email,
    set_password,
)
from vestibule.accounts.password_reset import issue_code
from vestibule.accounts.permissions import is_disabled
from vestibule.accounts.users import disable, enable, register, set_role
from vestibule.cli.arguments import (
    confirm,
    current_actor,
    find_user,
    read_new_password,
    refuse_older_schema,
    require_database,
)
from vestibule.cli.output import json_option, show_json, show_table
from vestibule.core.text import escape_control_characters
from vestibule.db.models.user import Role, User


@click.group()
def users() -> None:
    """Work with the accounts."""


@users.command()
@click.argument("email")
@click.option("--first-name", help="The user's first name.")
@click.option("--last-name", help="The user's last name.")
def add(email: str, first_name: str | None, last_name: str | None) -> None:
    """Add an account for EMAIL.

    The password is prompted for, or read from one line of standard input.
    """
    refuse_older_schema()
    check_email(email)
    user = register(
        email,
        read_new_password(),
        first_name,
        last_name,
        actor=current_actor(),
    )
    click.echo(f"added {_user_text(user)}")


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List the accounts, oldest first."""
    require_database()
    found = chain.from_iterable(User.search_pages())
    if as_json:
        show_json(
            user.to_json() | {"role": user.role, "disabled": is_disabled(user)}
            for user in found
        )
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
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove(email_or_id: str, yes: bool) -> None:
    """Remove an account and end its sessions."""
    user = find_user(email_or_id)
    if not yes:
        confirm(f"Remove {_user_text(user)}?")
    removal.remove(user, actor=current_actor())
    click.echo(f"removed {_user_text(user)}")


@users.command()
@click.argument("email_or_id")
@click.argument("role", type=click.Choice([each.value for each in Role]))
def role(email_or_id: str, role: str) -> None:
    """Make an account an admin or a member.

    Admins manage the other accounts. The last admin cannot be demoted.
    """
    user = find_user(email_or_id)
    set_role(user, role, actor=current_actor())
    click.echo(f"{_user_text(user)} is {role} now")


@users.command("email")
@click.argument("email_or_id")
@click.argument("new_email")
def set_email(email_or_id: str, new_email: str) -> None:
    """Change the email of an account; its reset code stops working."""
    user = find_user(email_or_id)
    change_email(user, new_email, actor=current_actor())
    click.echo(f"changed the email to {_user_text(user)}")


@users.command("disable")
@click.argument("email_or_id")
def disable_user(email_or_id: str) -> None:
    """Disable an account and end its sessions."""
    user = find_user(email_or_id)
    disable(user, actor=current_actor())
    click.echo(f"disabled {_user_text(user)}")


@users.command("enable")
@click.argument("email_or_id")
def enable_user(email_or_id: str) -> None:
    """Enable a disabled account."""
    user = find_user(email_or_id)
    enable(user, actor=current_actor())
    click.echo(f"enabled {_user_text(user)}")


@users.command("reset-code")
@click.argument("email_or_id")
def reset_code(email_or_id: str) -> None:
    """Print a code with which the user sets a new password.

    It works once, within an hour. Earlier codes stop working.
    """
    user = find_user(email_or_id)
    code = issue_code(user, actor=current_actor())
    click.echo(
        f"{_user_text(user)} can set a new password"
        f" until {code.expires_at:%Y-%m-%d %H:%M:%S} (UTC) with this code:",
        err=True,
    )
    click.echo(code.code)


@users.command()
@click.argument("email_or_id")
def passwd(email_or_id: str) -> None:
    """Set the password of an account; its sessions stay.

    The password is prompted for, or read from one line of standard input.
    """
    user = find_user(email_or_id)
    set_password(user, read_new_password(), actor=current_actor())
    click.echo(f"changed the password of {_user_text(user)}")


def _user_text(user: User) -> str:
    """Return a user as messages name it, safe for a terminal."""
    if user.email is None:
        return escape_control_characters(user.id)
    return escape_control_characters(f"{user.email} ({user.id})")

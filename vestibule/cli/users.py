#!/usr/bin/env python3
"""`users`: add, list and remove accounts; their passwords and standing."""

from itertools import chain

import click

from models.role import Role
from models.user import User
from vestibule.accounts import removal
from vestibule.accounts.changes import give_password
from vestibule.accounts.disabling import disable, enable, is_disabled
from vestibule.accounts.registration import check_email, register
from vestibule.accounts.reset import issue_code
from vestibule.accounts.roles import set_role
from vestibule.cli.actor import actor
from vestibule.cli.listing import json_option, show_json, show_table
from vestibule.cli.store import require_database
from vestibule.cli.terminal import confirm, read_new_password
from vestibule.cli.user_argument import named_user
from vestibule.observe.printable import printable


@click.group()
def users() -> None:
    """Work with the accounts."""


@users.command()
@click.argument("email")
@click.option("--first-name", help="The user's first name.")
@click.option("--last-name", help="The user's last name.")
def add(email: str, first_name: str | None, last_name: str | None) -> None:
    """Add an account for EMAIL.

    The password is asked for, or read from one line of standard input.
    """
    check_email(email)
    user = register(
        email, read_new_password(), first_name, last_name, actor()
    )
    click.echo(f"added {_shown(user)}")


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List the accounts, oldest first."""
    require_database()
    found = chain.from_iterable(User.pages())
    if as_json:
        show_json(
            user.to_json()
            | {"role": user.role, "disabled": is_disabled(user)}
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
    user = named_user(email_or_id)
    if not yes:
        confirm(f"Remove {_shown(user)}?")
    removal.remove(user, by=actor())
    click.echo(f"removed {_shown(user)}")


@users.command()
@click.argument("email_or_id")
@click.argument(
    "role", type=click.Choice([each.value for each in Role])
)
def role(email_or_id: str, role: str) -> None:
    """Make an account one of an admin, or of a member.

    Admins manage the other accounts. The last one cannot be demoted.
    """
    user = named_user(email_or_id)
    set_role(user, role, actor())
    click.echo(f"{_shown(user)} is {role} now")


@users.command("disable")
@click.argument("email_or_id")
def disable_user(email_or_id: str) -> None:
    """Keep an account out from now on, and end its sessions."""
    user = named_user(email_or_id)
    disable(user, by=actor())
    click.echo(f"disabled {_shown(user)}")


@users.command("enable")
@click.argument("email_or_id")
def enable_user(email_or_id: str) -> None:
    """Let a disabled account in again."""
    user = named_user(email_or_id)
    enable(user, by=actor())
    click.echo(f"enabled {_shown(user)}")


@users.command("reset-code")
@click.argument("email_or_id")
def reset_code(email_or_id: str) -> None:
    """Print a code with which the user sets a new password, once.

    It works for an hour; a code that was printed before does not work any
    more.
    """
    user = named_user(email_or_id)
    issued = issue_code(user, actor())
    click.echo(
        f"{_shown(user)} can set a new password"
        f" until {issued.expires_at:%Y-%m-%d %H:%M:%S} (UTC) with this code:",
        err=True,
    )
    click.echo(issued.code)


@users.command()
@click.argument("email_or_id")
def passwd(email_or_id: str) -> None:
    """Give an account a new password; its sessions go on.

    The password is asked for, or read from one line of standard input.
    """
    user = named_user(email_or_id)
    give_password(user, read_new_password(), actor())
    click.echo(f"changed the password of {_shown(user)}")


def _shown(user: User) -> str:
    """Return how a user is named to the person at the terminal."""
    if user.email is None:
        return printable(user.id)
    return printable(f"{user.email} ({user.id})")

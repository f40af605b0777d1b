#!/usr/bin/env python3
"""`users`: add, list and remove accounts, and give them new passwords."""

import click

from models.user import User
from vestibule.accounts.hash_queue import hash_queue
from vestibule.accounts.registration import (
    check_email,
    check_new_password,
    register,
)
from vestibule.cli.terminal import confirm, read_new_password, show_table
from vestibule.cli.user_argument import named_user
from vestibule.observe.logs import printable


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
    user = register(email, read_new_password(), first_name, last_name)
    click.echo(f"added {_shown(user)}")


@users.command("list")
def list_users() -> None:
    """List the accounts, oldest first."""
    show_table(
        ("id", "email", "name", "created (UTC)"),
        (
            (
                user.id,
                user.email,
                " ".join(filter(None, (user.first_name, user.last_name))),
                user.to_json()["created_at"],
            )
            for user in User.all()
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
    user.remove()
    click.echo(f"removed {_shown(user)}")


@users.command()
@click.argument("email_or_id")
def passwd(email_or_id: str) -> None:
    """Give an account a new password; its sessions go on.

    The password is asked for, or read from one line of standard input.
    """
    user = named_user(email_or_id)
    password = read_new_password()
    check_new_password(password, user.email)
    with hash_queue().turn():
        user.password = password
    user.save_changes()
    click.echo(f"changed the password of {_shown(user)}")


def _shown(user: User) -> str:
    """Return how a user is named to the person at the terminal."""
    if user.email is None:
        return printable(user.id)
    return printable(f"{user.email} ({user.id})")

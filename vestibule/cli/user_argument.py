#!/usr/bin/env python3
"""Which user an argument of the command line means.

Passwords and answers in; with a terminal or without one.

Its law: a password is read from where nobody sees it.

Who is at the command line, as events name it.
"""

import os
import pwd
import sys

import click

from vestibule.accounts.permissions import Actor
from vestibule.audit.log import COMMAND_LINE
from vestibule.cli.commands import CommandError
from vestibule.cli.store import require_database
from vestibule.core.command_line import command_line
from vestibule.core.errors import InvalidValue
from vestibule.core.text import escape_control_characters
from vestibule.db.models.user import User


def find_user(email_or_id: str) -> User:
    """Return the user with this id or email.

    Scripts may give any text as an email, even the id of somebody else;
    an argument that means two users is refused, not guessed at.
    """
    require_database()
    by_id = User.get(email_or_id)
    found = {by_id} if by_id else set()
    found.update(User.search({"email": email_or_id}))
    shown = escape_control_characters(email_or_id)
    if not found:
        raise CommandError(
            f"there is no user with the email or id {shown}; see:"
            f" {command_line('users list')}"
        )
    if len(found) > 1:
        raise CommandError(
            f"{shown} is the id of one user and another's email"
        )
    return found.pop()


def is_asked_by_person() -> bool:
    """Tell whether somebody at a terminal can answer a question."""
    return bool(sys.stdin and sys.stdin.isatty())


def read_new_password() -> str:
    """Ask for a new password twice, or read it from one line of input.

    It is never an argument: those are seen in the list of processes and
    kept by the shell. Raise `InvalidValue` if there is none.
    """
    if is_asked_by_person():
        asked: str = click.prompt(
            "Password", hide_input=True, confirmation_prompt=True, err=True
        )
        return asked
    # It is `None` in a program that was started with it closed.
    line = sys.stdin.buffer.readline() if sys.stdin else b""
    if not line:
        raise InvalidValue(
            "password", "is expected on standard input", code="required"
        )
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise InvalidValue(
            "password", "is not valid UTF-8", code="invalid_character"
        ) from None


def confirm(question: str) -> None:
    """Ask a yes-or-no question; go on only if the answer is yes."""
    if not is_asked_by_person():
        raise click.UsageError("without a terminal, --yes is needed")
    click.confirm(question, abort=True, err=True)


#: Characters of a name that are kept.
MAX_NAME_LENGTH = 64


def current_actor() -> Actor:
    """Return who does what a command does: the user of its process.

    The kernel says who that is; the environment says what it was told.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        # Containers run as users whom no file has.
        name = str(number)
    return Actor(f"{COMMAND_LINE}{name[:MAX_NAME_LENGTH]}", is_local=True)

#!/usr/bin/env python3
"""What commands read from outside: the database, users, passwords, answers.

A command that only reads never creates a database: a wrong DATABASE_URL is
an error and not an empty list. A password is read without an echo.
"""

import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from vestibule.accounts.permissions import Actor
from vestibule.audit.log import COMMAND_LINE
from vestibule.cli.commands import CommandError
from vestibule.core.command_line import command_line
from vestibule.core.errors import InvalidValue
from vestibule.core.text import escape_control_characters
from vestibule.db import engine, migrate
from vestibule.db.engine import Database
from vestibule.db.models.user import User

#: Characters of a system user's name that events keep.
MAX_NAME_LENGTH = 64


@contextmanager
def existing_database() -> Iterator[Database]:
    """Give the database that the settings name, whatever its schema is.

    Raise `CommandError` if there is none.
    """
    with closing(engine.configured_database()) as database:
        if not migrate.exists(database):
            raise CommandError(
                f"there is no file {database.url.database}: set DATABASE_URL"
                " to the right one, or create it:"
                f" {command_line('db upgrade')}"
            )
        yield database


def require_database() -> None:
    """Raise `CommandError` if there is no database with our schema."""
    with existing_database() as database:
        _require_current(migrate.schema(database))


def refuse_older_schema() -> None:
    """Raise `CommandError` if the schema is of another version.

    Otherwise the first use would upgrade it while a server of that version
    runs. A command that adds something may create a database.
    """
    with closing(engine.configured_database()) as database:
        found = migrate.schema(database)
    if found.revision is not None:
        _require_current(found)


def _require_current(found: migrate.Schema) -> None:
    """Raise `CommandError` unless the schema is the one of this version."""
    if not found.is_current:
        raise CommandError(migrate.mismatch_message(found.revision))


def find_user(email_or_id: str) -> User:
    """Return the user with this id or email.

    Scripts can store any text as an email, even the id of another user, so
    an argument that fits two users is refused. Raise `CommandError`.
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
            f"{shown} is the id of one user and the email of another"
        )
    return found.pop()


def is_interactive() -> bool:
    """Return True if standard input is a terminal."""
    return bool(sys.stdin and sys.stdin.isatty())


def read_new_password() -> str:
    """Ask for a new password twice, or read it from one line of input.

    It is never an argument: those are shown in the list of processes and
    kept by the shell. Raise `InvalidValue` if there is none.
    """
    if is_interactive():
        password: str = click.prompt(
            "Password", hide_input=True, confirmation_prompt=True, err=True
        )
        return password
    # `sys.stdin` is None in a program that was started with it closed.
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
    """Ask a yes-or-no question; end the command unless it is yes."""
    if not is_interactive():
        raise click.UsageError("without a terminal, --yes is needed")
    click.confirm(question, abort=True, err=True)


def current_actor() -> Actor:
    """Return the actor of a command: the user of its process.

    It comes from the kernel: the environment can be set to anything.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        # A container may run as a user that /etc/passwd does not list.
        name = str(number)
    return Actor(f"{COMMAND_LINE}{name[:MAX_NAME_LENGTH]}", is_local=True)

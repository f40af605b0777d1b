#!/usr/bin/env python3
"""Passwords and answers in; with a terminal or without one.

Its law: a password is read from where nobody sees it.
"""

import sys

import click

from vestibule.errors import InvalidValue


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
        raise InvalidValue("password", "is expected on standard input")
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise InvalidValue("password", "is not valid UTF-8") from None


def confirm(question: str) -> None:
    """Ask a yes-or-no question; go on only if the answer is yes."""
    if not is_asked_by_person():
        raise click.UsageError("without a terminal, --yes is needed")
    click.confirm(question, abort=True, err=True)

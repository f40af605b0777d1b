#!/usr/bin/env python3
"""How a command fails: one line on standard error, and an exit code.

Its law: each code has one meaning, which `docs/cli.md` tells.
"""

from typing import IO, Any

import click

from vestibule.observe.printable import printable


class Failure(click.ClickException):
    """What was asked cannot be done; the message says why."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the one line."""
        click.echo(f"vestibule: {self.message}", file=file, err=True)


class Interrupted(Failure):
    """Ctrl-C was pressed; the message says how to go on.

    Shells give a program that a signal ended 128 and the signal's number.
    """

    exit_code = 130

    def __init__(self, how_to_go_on: str = "") -> None:
        """Keep what to do next, where there is something to do."""
        more = f"; {how_to_go_on}" if how_to_go_on else ""
        super().__init__(f"interrupted{more}")


def one_line(error: Exception) -> str:
    """Return the message of `error` on one line, safe for a terminal."""
    return printable(" ".join(str(error).split()))

#!/usr/bin/env python3
"""How a command fails: one line on standard error and exit code 1."""

import errno
from typing import IO, Any

import click

from vestibule.errors import VestibuleError
from vestibule.observe.logs import printable


class Failure(click.ClickException):
    """What was asked cannot be done; the message says why."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the one line."""
        click.echo(f"vestibule: {self.message}", file=file, err=True)


class Program(click.Group):
    """A group whose commands end with a line, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn the errors that are foreseen to a line."""
        try:
            return super().invoke(ctx)
        except VestibuleError as error:
            raise Failure(one_line(error)) from error
        except OSError as error:
            # A reader that went away, as `head` does, is no failure to
            # report; click ends quietly.
            if error.errno == errno.EPIPE:
                raise
            raise Failure(one_line(error)) from error


def one_line(error: Exception) -> str:
    """Return the message of `error` on one line, safe for a terminal."""
    return printable(" ".join(str(error).split()))

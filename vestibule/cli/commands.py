#!/usr/bin/env python3
"""The group of all commands, and how a command fails.

Help, version and completion import no command. A failure that the code
foresees is one line on standard error and an exit code, which
`docs/cli.md` lists; it is never a traceback.
"""

import errno
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from vestibule.core.errors import VestibuleError
from vestibule.core.text import escape_control_characters


class CommandError(click.ClickException):
    """A command cannot do its work; the message says why."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line on standard error."""
        click.echo(f"vestibule: {self.message}", file=file, err=True)


class Interrupted(CommandError):
    """Ctrl-C was pressed; the message says how to continue.

    Shells give a program that a signal ended 128 plus the signal's number.
    """

    exit_code = 130

    def __init__(self, how_to_continue: str = "") -> None:
        """Make the message; `how_to_continue` may be empty."""
        more = f"; {how_to_continue}" if how_to_continue else ""
        super().__init__(f"interrupted{more}")


def one_line(error: Exception) -> str:
    """Return the message of `error` on one line, safe for a terminal."""
    return escape_control_characters(" ".join(str(error).split()))


class LazyCommand(NamedTuple):
    """A command: its module below `vestibule.cli`, and its summary."""

    module: str
    summary: str


class Program(click.Group):
    """The group of all commands, which it lists without importing them.

    SQLAlchemy alone takes half a second to import, which help need not
    wait for.
    """

    #: The commands by their names. A module calls its command by that name.
    lazy_commands: Mapping[str, LazyCommand] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(self.lazy_commands)

    def get_command(
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        """Import and return the command of that name, if there is one."""
        if cmd_name not in self.lazy_commands:
            return None
        module = import_module(
            f"vestibule.cli.{self.lazy_commands[cmd_name].module}"
        )
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the names and summaries of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(self._summaries())

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return the commands and options that begin with `incomplete`."""
        return [
            CompletionItem(name, help=summary)
            for name, summary in self._summaries()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def _summaries(self) -> list[tuple[str, str]]:
        """Return the name and summary of each command, by name."""
        return [
            (name, command.summary)
            for name, command in sorted(self.lazy_commands.items())
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn foreseen errors into one line."""
        try:
            return super().invoke(ctx)
        except VestibuleError as error:
            raise CommandError(one_line(error)) from error
        except KeyboardInterrupt:
            raise Interrupted from None
        except click.Abort as end:
            # A prompt raises the same for Ctrl-C and the end of the input.
            if isinstance(end.__context__, KeyboardInterrupt):
                raise Interrupted from None
            raise
        except OSError as error:
            # If the reader went away, as `head` does, click exits quietly.
            if error.errno == errno.EPIPE:
                raise
            raise CommandError(one_line(error)) from error

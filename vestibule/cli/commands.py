#!/usr/bin/env python3
"""How a command fails: one line on standard error, and an exit code.

Its law: each code has one meaning, which `docs/cli.md` tells.

Help as it fits the terminal, also one that is narrower than most.

Its law: no line is longer than the terminal has columns, as far as words
are not; click by itself writes fifty at least.

The commands, each loaded when it is asked for, and how they end.

Its law: help, version and completion load no command; nothing ends with
a traceback that was foreseen.
"""

import errno
import shutil
import textwrap
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

import click
from click.shell_completion import CompletionItem

from vestibule.core.errors import VestibuleError
from vestibule.core.text import escape_control_characters


class CommandError(click.ClickException):
    """What was asked cannot be done; the message says why."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the one line."""
        click.echo(f"vestibule: {self.message}", file=file, err=True)


class Interrupted(CommandError):
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
    return escape_control_characters(" ".join(str(error).split()))


#: Columns below which a page would be one word beside another.
LEAST = 20


class Page(click.HelpFormatter):
    """What help and usage are written on."""

    def __init__(
        self,
        indent_increment: int = 2,
        width: int | None = None,
        max_width: int | None = None,
    ) -> None:
        """Be as wide as click would, or as the terminal is."""
        super().__init__(indent_increment, width, max_width)
        if width is None:
            # As click does, leave the last two: some terminals end a line
            # as soon as it is full.
            room = shutil.get_terminal_size().columns - 2
            self.width = min(self.width, max(room, LEAST))

    def write_usage(
        self, prog: str, args: str = "", prefix: str | None = None
    ) -> None:
        """Write how a command is called; a long name is wrapped, too."""
        begin = "Usage: " if prefix is None else prefix
        if len(begin) + len(prog) < self.width:
            super().write_usage(prog, args, prefix)
            return
        # A name that is parted at its hyphen would look like two.
        self.write(
            textwrap.fill(
                f"{prog} {args}",
                self.width,
                initial_indent=begin,
                subsequent_indent=" " * (len(begin) + 4),
                break_on_hyphens=False,
                break_long_words=False,
            )
        )
        self.write("\n")


class PageContext(click.Context):
    """A context whose help is such a page."""

    formatter_class = Page


def fitted(command: click.Command) -> click.Command:
    """Let a command, and those below it, write such pages; return it."""
    command.context_class = PageContext
    for each in getattr(command, "commands", {}).values():
        fitted(each)
    return command


class Program(click.Group):
    """The group of all commands, which are named before they are loaded.

    SQLAlchemy alone takes half a second to load; who only wants to read
    what there is does not wait for it.
    """

    context_class = PageContext
    #: What each command is for, by its name.
    summaries: Mapping[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(self.summaries)

    def get_command(
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        """Load and return the command of that name, if there is one.

        It is what its module calls by the same name.
        """
        if cmd_name not in self.summaries:
            return None
        module = import_module(f"vestibule.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return fitted(command)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the names and what they are for."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self.summaries.items()))

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return what the word may become, and what that is for."""
        return [
            CompletionItem(name, help=summary)
            for name, summary in sorted(self.summaries.items())
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn the errors that are foreseen to a line."""
        try:
            return super().invoke(ctx)
        except VestibuleError as error:
            raise CommandError(one_line(error)) from error
        except KeyboardInterrupt:
            raise Interrupted from None
        except click.Abort as end:
            # A prompt makes the same of Ctrl-C and of an input's end.
            if isinstance(end.__context__, KeyboardInterrupt):
                raise Interrupted from None
            raise
        except OSError as error:
            # A reader that went away, as `head` does, is no failure to
            # report; click ends quietly.
            if error.errno == errno.EPIPE:
                raise
            raise CommandError(one_line(error)) from error

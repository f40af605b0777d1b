#!/usr/bin/env python3
"""The commands, each loaded when it is asked for, and how they end.

Its law: help, version and completion load no command; nothing ends with
a traceback that was foreseen.
"""

import errno
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from vestibule.cli.failure import Failure, Interrupted, one_line
from vestibule.cli.help_page import PageContext, fitted
from vestibule.errors import VestibuleError


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
            raise Failure(one_line(error)) from error
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
            raise Failure(one_line(error)) from error

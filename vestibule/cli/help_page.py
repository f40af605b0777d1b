#!/usr/bin/env python3
"""Help as it fits the terminal, also one that is narrower than most.

Its law: no line is longer than the terminal has columns, as far as words
are not; click by itself writes fifty at least.
"""

import shutil
import textwrap

import click

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
        self.write(textwrap.fill(
            f"{prog} {args}", self.width, initial_indent=begin,
            subsequent_indent=" " * (len(begin) + 4),
            break_on_hyphens=False, break_long_words=False,
        ))
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

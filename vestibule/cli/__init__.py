#!/usr/bin/env python3
"""The command line of the service: `vestibule`, `python -m vestibule`."""

import io
import os
import sys
from typing import TextIO

import click

from vestibule import __version__
from vestibule.cli.commands import Program
from vestibule.core import command_line

#: These need no settings, or say themselves what is wrong with the file.
_WITHOUT_SETTINGS = {"completion", "demo", "doctor", "init"}
#: How a shell asks the program what a word may become.
COMPLETION = "_VESTIBULE_COMPLETE"


@click.group(cls=Program)
@click.version_option(
    __version__,
    prog_name=command_line.COMMAND_NAME,
    message="%(prog)s %(version)s",
    help="Print the version.",
)
@click.pass_context
def program(ctx: click.Context) -> None:
    """Users, sessions and the database of Vestibule.

    The settings are those of the server: DATABASE_URL and the others, from
    the environment or a .env here.
    """
    if ctx.invoked_subcommand not in _WITHOUT_SETTINGS:
        # Neither help nor the version waits for it.
        from vestibule.core import env_file

        env_file.load()

        # A server has a journal of its own, in each process.
        from vestibule.audit import log, writer

        log.set_listener(writer.write_now)


assert isinstance(program, Program)
program.summaries = {
    "completion": "Print what makes a shell complete the commands.",
    "db": "Work with the database itself.",
    "demo": "Serve a throwaway database full of people, until Ctrl-C.",
    "doctor": "Look the settings, the database and a running service over.",
    "events": "Read what happened: the security log in the database.",
    "init": "Write a .env with every setting and its meaning.",
    "identity": "Work with the keys that sign identities.",
    "serve": "Start the server, as `python3 -m vestibule.api.app` does.",
    "sessions": "Work with the sessions of session_db_auth.",
    "users": "Work with the accounts.",
}


def main() -> None:
    """Run the command that the arguments name, and exit."""
    sys.stdout = _writable(sys.stdout)
    sys.stderr = _writable(sys.stderr)
    program(prog_name=command_line.program(), complete_var=COMPLETION)


def _writable(stream: TextIO | None) -> TextIO:
    """Return a stream that takes any text; one that was closed, too.

    Names need not fit into the encoding of a terminal.
    """
    if stream is None:
        return open(os.devnull, "w")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream

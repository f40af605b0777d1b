#!/usr/bin/env python3
"""The command line of the service: `vestibule`, `python -m vestibule`."""

import io
import os
import sys
from typing import TextIO

import click

from vestibule import __version__
from vestibule.cli.commands import LazyCommand, Program
from vestibule.core import command_line

#: Commands that need no settings, or check the file of settings themselves.
_WITHOUT_SETTINGS = {"completion", "demo", "doctor", "init"}
#: The variable by which a shell asks the program for completions.
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
    the environment or from .env in the current folder.
    """
    if ctx.invoked_subcommand not in _WITHOUT_SETTINGS:
        # Imported here because help and the version do not need it.
        from vestibule.core import env_file

        env_file.load()

        # Commands write events at once; servers queue them.
        from vestibule.audit import log, writer

        log.set_listener(writer.write_now)


assert isinstance(program, Program)
program.lazy_commands = {
    "completion": LazyCommand("setup", "Print a shell's completion script."),
    "db": LazyCommand(
        "db", "Upgrade, check, back up and restore the database."
    ),
    "demo": LazyCommand("demo", "Serve a throwaway database, until Ctrl-C."),
    "doctor": LazyCommand(
        "setup", "Check settings, database and a running service."
    ),
    "events": LazyCommand("events", "Read the security log."),
    "gate": LazyCommand(
        "gate", "Explain the rules of forward authentication."
    ),
    "identity": LazyCommand("db", "Work with the signing keys."),
    "init": LazyCommand(
        "setup", "Write a .env with every setting and its meaning."
    ),
    "mail": LazyCommand("mail", "Send mail, and see what became of it."),
    "openapi": LazyCommand(
        "setup", "Print the OpenAPI document of the service as JSON."
    ),
    "secrets": LazyCommand(
        "secrets", "Work with the keys that encrypt stored secrets."
    ),
    "serve": LazyCommand("setup", "Start the server."),
    "sessions": LazyCommand("sessions", "Work with stored sessions."),
    "users": LazyCommand("users", "Work with the accounts."),
}


def main() -> None:
    """Run the command that the arguments name, and exit."""
    sys.stdout = _writable(sys.stdout)
    sys.stderr = _writable(sys.stderr)
    program(prog_name=command_line.program(), complete_var=COMPLETION)


def _writable(stream: TextIO | None) -> TextIO:
    """Return a stream that takes any text.

    The encoding of a terminal may lack characters, which are escaped. A
    closed stream is replaced by one that discards the text.
    """
    if stream is None:
        return open(os.devnull, "w")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream

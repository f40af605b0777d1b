#!/usr/bin/env python3
"""The command line of the service: `python -m vestibule`."""

import io
import os
import sys
from typing import TextIO

import click

from vestibule.cli.database import db
from vestibule.cli.doctor import doctor
from vestibule.cli.failure import Program
from vestibule.cli.identity import identity
from vestibule.cli.sessions import sessions
from vestibule.cli.users import users

PROGRAM_NAME = "python -m vestibule"


@click.group(cls=Program)
def program() -> None:
    """Users, sessions and the database of Vestibule.

    The settings are those of the server: DATABASE_URL and the others.
    """


program.add_command(users)
program.add_command(sessions)
program.add_command(identity)
program.add_command(db)
program.add_command(doctor)


@program.command()
def serve() -> None:
    """Start the server, as `python3 -m api.v1.app` does."""
    # Flask and granian are loaded for this command alone.
    from api.v1.app import main as start

    start()


def main() -> None:
    """Run the command that the arguments name, and exit."""
    sys.stdout = _writable(sys.stdout)
    sys.stderr = _writable(sys.stderr)
    program(prog_name=PROGRAM_NAME)


def _writable(stream: TextIO | None) -> TextIO:
    """Return a stream that takes any text; one that was closed, too.

    Names need not fit into the encoding of a terminal.
    """
    if stream is None:
        return open(os.devnull, "w")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream

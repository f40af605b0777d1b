#!/usr/bin/env python3
"""`init`: a file of settings to begin with.

Its law: it makes a new file for its owner alone, and replaces nothing.
"""

import os
from pathlib import Path

import click

from vestibule.cli.commands import CommandError
from vestibule.core.command_line import command_line
from vestibule.core.env_file import template
from vestibule.core.text import escape_control_characters

#: What a beginning needs: a session that ends, pages, and this machine
#: alone. `make run` sets the same.
CHOSEN = {
    "API_HOST": "127.0.0.1",
    "API_PORT": "5000",
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": "_my_session_id",
    "SESSION_DURATION": "43200",
    "WEB_PAGES": "on",
}
#: What a service behind TLS needs beside it.
_BEHIND_TLS = {
    "SECURITY_PROFILE": "hardened",
    "SESSION_NAME": "__Host-session",
    "TRUSTED_PROXIES": "127.0.0.1",
}


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path(".env"))
@click.option(
    "--hardened",
    is_flag=True,
    help="Settings for a service behind a proxy with TLS.",
)
def init(file: Path, hardened: bool) -> None:
    """Write a .env with every setting and its meaning.

    FILE is .env here unless it is given. One that exists is kept.
    """
    chosen = CHOSEN | (_BEHIND_TLS if hardened else {})
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    shown = escape_control_characters(str(file))
    try:
        handle = os.open(file, flags, 0o600)
    except FileExistsError:
        raise CommandError(
            f"{shown} exists already and is kept; move it away, or name"
            f" another: {command_line('init FILE')}"
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as written:
        written.write(template(chosen))
    click.echo(f"wrote {shown}; read it, then: {command_line('serve')}")

#!/usr/bin/env python3
"""Commands that set a service up, describe it, start it and check it.

The server and the checks are imported when they run and not for help,
because they import Flask and granian.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from vestibule.cli.commands import CommandError
from vestibule.cli.output import json_option, show_json, show_result
from vestibule.core.command_line import COMMAND_NAME, command_line
from vestibule.core.env_file import template
from vestibule.core.text import escape_control_characters

if TYPE_CHECKING:
    from rich.console import Console

    from vestibule.checks.settings import CheckResult

#: Settings for a first start: sessions that expire, pages, and this machine
#: alone. `make run` sets the same.
FIRST_SETTINGS = {
    "SECURITY_PROFILE": "standard",
    "API_HOST": "127.0.0.1",
    "API_PORT": "5000",
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": "_my_session_id",
    "SESSION_DURATION": "43200",
    "WEB_PAGES": "on",
}
#: More settings for a service behind a proxy with TLS.
_TLS_SETTINGS = {
    "SECURITY_PROFILE": "hardened",
    "SESSION_NAME": "__Host-session",
    "TRUSTED_PROXIES": "127.0.0.1",
}
_STYLES = {"good": "green", "weak": "yellow", "wrong": "bold red"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path(".env"))
@click.option(
    "--hardened",
    is_flag=True,
    help="Settings for a service behind a proxy with TLS.",
)
@json_option
def init(file: Path, hardened: bool, as_json: bool) -> None:
    """Write a .env with every setting and its meaning.

    FILE is .env in the current folder by default. An existing file is kept.
    """
    chosen = FIRST_SETTINGS | (_TLS_SETTINGS if hardened else {})
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    shown = escape_control_characters(str(file))
    try:
        # Settings may hold secrets: only the owner reads the file.
        handle = os.open(file, flags, 0o600)
    except FileExistsError:
        raise CommandError(
            f"{shown} exists already and is kept; move it away, or name"
            f" another: {command_line('init FILE')}"
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(template(chosen))
    show_result(
        {"file": str(file)},
        f"wrote {shown}; read it, then: {command_line('serve')}",
        as_json,
    )


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    It is for the installed command `vestibule`. In ~/.bashrc:

    eval "$(vestibule completion bash)"
    """
    from vestibule.cli import COMPLETION

    completion_class = get_completion_class(shell)
    assert completion_class is not None
    root = ctx.find_root().command
    script = completion_class(root, {}, COMMAND_NAME, COMPLETION)
    click.echo(script.source())


@click.command()
def serve() -> None:
    """Start the server.

    Without SECURITY_PROFILE the profile is `standard`.
    """
    from vestibule.server.granian import main as start

    start(profile="standard")


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of the service as JSON.

    It describes the service that these settings start.
    """
    from vestibule.api.openapi.document import document
    from vestibule.core import settings
    from vestibule.http.responses import json_body
    from vestibule.mechanisms import mechanism_for

    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    described = document(
        mechanism() if mechanism else None, settings.BASE_PATH.read()
    )
    click.echo(json_body(described), nl=False)


@click.command()
@click.option("--url", help="Check the service that runs there too.")
@json_option
def doctor(url: str | None, as_json: bool) -> None:
    """Check settings, database and a running service.

    Exit code 1 if something is wrong, 0 if at most something is weak.
    """
    from rich.console import Console

    from vestibule.checks.doctor import run_checks

    is_wrong = False
    console = Console(highlight=False, soft_wrap=True)
    results = []
    for result in run_checks(url):
        is_wrong |= result.level == "wrong"
        if as_json:
            results.append(result._asdict())
        else:
            _print_result(console, result)
    if as_json:
        show_json(results)
    sys.exit(1 if is_wrong else 0)


def _print_result(console: "Console", result: "CheckResult") -> None:
    """Print the result of a check, and its hint below it."""
    from rich.text import Text

    line = Text(f"{result.level:5} ", style=_STYLES[result.level])
    line.append(result.message, style="default")
    console.print(line)
    if result.hint:
        console.print(Text(f"      hint: {result.hint}"))

#!/usr/bin/env python3
"""`demo`: a service full of people who do not exist, to look around in.

Its law: it touches no database but its own, which is in a folder of its
own; it can be reached from this machine alone; and it leaves nothing,
however it ends, unless it is killed outright.
"""

import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NoReturn

import click

from vestibule.cli.commands import Interrupted
from vestibule.cli.demo_data import ADMIN, MEMBER, fill
from vestibule.cli.output import progress_bar
from vestibule.core import settings
from vestibule.db import engine

_HOST = "127.0.0.1"


@click.command()
@click.option(
    "--users",
    "count",
    type=click.IntRange(2, 100_000),
    default=500,
    show_default=True,
    help="How many people there are.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="The port to serve on; one that is free, unless given.",
)
def demo(count: int, port: int | None) -> None:
    """Serve a throwaway database full of people, until Ctrl-C.

    It has its own settings: whatever the environment says is left alone.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    threading.Thread(
        target=_end_with_parent, args=(os.getppid(),), daemon=True
    ).start()
    folder = tempfile.mkdtemp(prefix="vestibule-demo-")
    try:
        _serve(Path(folder), count, port or _free_port())
    except KeyboardInterrupt:
        raise Interrupted("nothing is left of the demo") from None
    finally:
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, count: int, port: int) -> NoReturn:
    """Fill a database in `folder` and serve it, until a signal comes."""
    settings.replace_all(
        {
            "API_HOST": _HOST,
            "API_PORT": str(port),
            "AUTH_TYPE": "session_db_auth",
            "AUTHZ_POLICY": "self",
            "DATABASE_URL": f"sqlite:///{folder / 'vestibule.db'}",
            "ENV_FILE": "",
            "LOG_LEVEL": "warning",
            "SESSION_DURATION": "43200",
            "SESSION_NAME": "_vestibule_demo",
            "WEB_PAGES": "on",
        }
    )
    password = f"demo-{secrets.token_urlsafe(6)}"
    made: Counter[str] = Counter()
    with progress_bar("filling", count) as shown:
        for life in fill(count, password):
            made["sessions"] += len(life.sessions)
            made["events"] += len(life.happenings)
            shown.advance()
    click.echo(f"""\
 * {count} people, {made["sessions"]} sessions and {made["events"]} events, \
all made up.
   They are in {folder}, which is removed at the end: Ctrl-C.
 * Sign in at http://{_HOST}:{port}/sign-in as
     {ADMIN}, who may manage the others, or
     {MEMBER}, who may not,
   with the password that all of them share:
     {password}""")
    # Workers are forked, and open connections of their own.
    engine.close()
    sys.stdout.flush()
    from vestibule.server.granian import main as start

    start()


def _free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _end(number: int, _: object) -> NoReturn:
    """End by a signal that comes before the server heeds it."""
    sys.exit(128 + number)


def _end_with_parent(parent: int) -> None:
    """End the demo when the shell is gone that it was started from.

    A terminal that is closed sends SIGHUP, and for that the server loads
    its workers anew and goes on.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)

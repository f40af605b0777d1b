#!/usr/bin/env python3
"""`demo`: serve a throwaway database with invented users.

It uses a database in a temporary folder, listens on loopback only, and
removes the folder when it ends, unless SIGKILL ends it.
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
from vestibule.cli.output import json_option, progress_bar, show_result
from vestibule.core import settings
from vestibule.core.setting_types import replace_settings
from vestibule.db import engine

_HOST = "127.0.0.1"


@click.command()
@click.option(
    "--users",
    "count",
    type=click.IntRange(2, 100_000),
    default=500,
    show_default=True,
    help="How many users to invent.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="The port to serve on; a free one by default.",
)
@json_option
def demo(count: int, port: int | None, as_json: bool) -> None:
    """Serve a throwaway database, until Ctrl-C.

    It has settings of its own and ignores those of the environment.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    threading.Thread(
        target=_end_with_parent, args=(os.getppid(),), daemon=True
    ).start()
    folder = tempfile.mkdtemp(prefix="vestibule-demo-")
    try:
        _serve(Path(folder), count, port or _free_port(), as_json)
    except KeyboardInterrupt:
        raise Interrupted("the demo's folder is removed") from None
    finally:
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, count: int, port: int, as_json: bool) -> NoReturn:
    """Fill a database in `folder` and serve it, until a signal comes."""
    replace_settings(
        [each.name for each in settings.ALL],
        {
            "API_HOST": _HOST,
            "API_PORT": str(port),
            "AUTH_TYPE": "session_db_auth",
            "AUTHZ_POLICY": "self",
            "DATABASE_URL": f"sqlite:///{folder / 'vestibule.db'}",
            "ENV_FILE": "none",
            "LOG_LEVEL": "warning",
            "SESSION_DURATION": "43200",
            "SESSION_NAME": "_vestibule_demo",
            "WEB_PAGES": "on",
        },
    )
    password = f"demo-{secrets.token_urlsafe(6)}"
    counts: Counter[str] = Counter()
    with progress_bar("filling", count) as bar:
        for user in fill(count, password):
            counts["sessions"] += len(user.sessions)
            counts["events"] += len(user.events)
            bar.advance()
    result = {
        "url": f"http://{_HOST}:{port}",
        "admin": ADMIN,
        "member": MEMBER,
        "password": password,
        "folder": str(folder),
    }
    text = f"""\
 * {count} users, {counts["sessions"]} sessions, {counts["events"]} events, \
all invented.
   They are in {folder}, which Ctrl-C removes.
 * Sign in at http://{_HOST}:{port}/sign-in as
     {ADMIN}, who is an admin, or
     {MEMBER}, who is not,
   with the password that all users share:
     {password}"""
    show_result(result, text, as_json)
    # Workers are forked: each opens connections of its own.
    engine.close()
    sys.stdout.flush()
    from vestibule.server.granian import main as start

    start()


def _free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _end(number: int, _: object) -> NoReturn:
    """End by a signal that comes before the server handles it."""
    sys.exit(128 + number)


def _end_with_parent(parent: int) -> None:
    """End the demo when the shell that started it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)

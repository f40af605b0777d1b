#!/usr/bin/env python3
"""`python -m vestibule` as a process of its own, also on a terminal."""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
from functools import partial
from pathlib import Path

from tests.serving import environment

COMMAND = (sys.executable, "-m", "vestibule")


def vestibule(
    folder: Path, *arguments: str, typed: str = "", **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command in `folder`, with `typed` on its standard input."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, **settings),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
    )


def on_terminal(
    folder: Path,
    *arguments: str,
    answers: dict[str, str] = {},
    output: int | None = None,
    columns: int = 80,
    **settings: str,
) -> tuple[int, str]:
    """Run a command on a terminal of its own; return code and screen.

    What it prints goes to the descriptor `output` if there is one. Each
    of the `answers` is typed when its prompt has appeared. The keys of a
    terminal work, Ctrl-C too.
    """
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    env = environment(folder, **settings)
    # COLUMNS would override the width of the terminal.
    env.pop("COLUMNS", None)
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=env,
        stdin=slave,
        stdout=slave if output is None else output,
        stderr=slave,
        start_new_session=True,
        preexec_fn=partial(fcntl.ioctl, slave, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    screen = ""
    for prompt, answer in answers.items():
        screen += _read(master, until=prompt)
        os.write(master, f"{answer}\n".encode())
    screen += _read(master)
    os.close(master)
    return process.wait(60), screen


def _read(master: int, until: str | None = None) -> str:
    """Return the output up to the text `until`, or all of it."""
    seen = b""
    while until is None or until.encode() not in seen:
        ready, _, _ = select.select([master], [], [], 30)
        assert ready, f"nothing more than {seen!r}"
        try:
            seen += os.read(master, 65536)
        except OSError:
            # Linux says so when the last process has left the terminal.
            assert until is None, f"it ended after {seen!r}"
            break
    return seen.decode()

#!/usr/bin/env python3
"""A document's transcript, played again: commands and what they print.

Its law: what a reader would type is what is run, on another port and in
another folder; what a reader would see is compared, but for what differs
from run to run: ids, times, codes, and the port.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.ports import free_port
from tests.serving import ROOT, environment

#: How the documents name what the player puts elsewhere.
WRITTEN_PORT = "5000"
WRITTEN_PYTHON = ".venv/bin/python"

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?"), "TIME"),
    (re.compile(r"curl/[\d.]+"), "curl/VERSION"),
    (re.compile(r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){3}\b"), "CODE"),
)


class Step(NamedTuple):
    """A command as it is typed, and what is printed next."""

    command: str
    printed: str


def steps_of(document: str) -> list[Step]:
    """Return the steps of all `console` blocks of a document."""
    return [
        step
        for block in _BLOCK.findall(document)
        for step in _steps_in(block)
    ]


def _steps_in(block: str) -> Iterator[Step]:
    """Yield the steps of a block: `$ ` begins one, `> ` continues it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        while command.endswith("\\"):
            more, _, printed = printed.partition("\n")
            command = command[:-1] + more.removeprefix("> ")
        yield Step(command, printed)


def masked(printed: str) -> str:
    """Return what was printed, without what differs from run to run."""
    for pattern, mask in _MASKS:
        printed = pattern.sub(mask, printed)
    return printed


class Player:
    """A terminal in an empty folder, and `make run` in another one."""

    def __init__(self, folder: Path) -> None:
        """Prepare to play in `folder`; nothing is started yet."""
        self._folder = folder
        self._port = str(free_port())
        self._env = environment(folder, API_PORT=self._port)
        self._service: subprocess.Popen[str] | None = None
        self._deadline: threading.Timer | None = None

    def play(self, command: str) -> str:
        """Run `command` and return what it prints, masked."""
        if command == "make run":
            return self._shown(self._served())
        typed = command.replace(f":{WRITTEN_PORT}/", f":{self._port}/")
        done = subprocess.run(
            ["bash", "-c", typed.replace(WRITTEN_PYTHON, sys.executable)],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # There curl draws its progress, when nobody watches.
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
        return self._shown(done.stdout)

    def stop(self) -> None:
        """End the server as ctrl-C does, with all of its processes."""
        if self._service is None:
            return
        os.killpg(self._service.pid, signal.SIGINT)
        self._service.wait(30)
        assert self._deadline is not None
        self._deadline.cancel()
        assert self._service.stdout is not None
        self._service.stdout.close()

    def _served(self) -> str:
        """Start the server; return what it prints until it has invited.

        Its folder is empty, so the first admin's code ends what it says.

        The environment is the one that runs the tests: none is made anew.
        """
        venv = sys.prefix
        self._service = subprocess.Popen(
            ["make", "--no-print-directory", "-C", str(ROOT),
             f"VENV={venv}", "-o", f"{venv}/.service", "run"],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._deadline = threading.Timer(
            60, os.killpg, (self._service.pid, signal.SIGKILL)
        )
        self._deadline.start()
        printed = ""
        assert self._service.stdout is not None
        for line in self._service.stdout:
            printed += line
            if line != masked(line) and line.startswith("     "):
                break
        return printed

    def _shown(self, printed: str) -> str:
        """Return what the reader's terminal would show, masked."""
        for python in (sys.executable, f"{sys.prefix}/bin/python"):
            for path in (python.removeprefix(f"{ROOT}/"), python):
                printed = printed.replace(path, WRITTEN_PYTHON)
        return masked(printed.replace(f":{self._port}", f":{WRITTEN_PORT}"))

#!/usr/bin/env python3
"""A reader's terminal: a shell in an empty folder, and a server beside it.

Its law: what a reader would type is what is run, on another port and in
another folder. A command that serves goes on while others are typed, as
it would in a second terminal.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from tests.documents.expectation import masked
from tests.ports import free_port
from tests.serving import ROOT, environment

#: How the documents name what is elsewhere in a test.
WRITTEN_PORT = "5000"
WRITTEN_PYTHON = ".venv/bin/python"
#: Seconds that a command may take on a busy machine.
PATIENCE = 60

_SERVES = re.compile(
    r"(?:\w+=\S* )*"
    r"(?:make run|\.venv/bin/python -m (?:vestibule serve|api\.v1\.app))"
)
_END = "-- that was all --"


class Step(NamedTuple):
    """A command as it is typed, and what is printed next."""

    command: str
    printed: str


def steps_of(block: str) -> list[Step]:
    """Return the steps of a block: `$ ` begins one, `> ` continues it."""
    steps = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        while printed.startswith("> "):
            more, _, printed = printed.partition("\n")
            command = f"{command}\n{more.removeprefix('> ')}"
        steps.append(Step(command, printed))
    return steps


class Terminal:
    """A shell whose folder is empty, and the one server it started."""

    def __init__(self, folder: Path) -> None:
        """Open the shell in `folder`; its home is there too."""
        self.folder = folder
        self.port = str(free_port())
        #: What the documents write, and what is there in its place.
        self.elsewhere = {f":{WRITTEN_PORT}": f":{self.port}"}
        #: What is there to be read by a command that asks.
        self.typed = Path(os.devnull)
        self.env = environment(
            folder, API_HOST="127.0.0.1", API_PORT=self.port, HOME=str(folder)
        )
        self._service: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        (folder / ".venv").symlink_to(sys.prefix)
        # It draws no progress where somebody watches, as a reader does.
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        self._shell = self._child(
            ["bash", "--norc", "--noprofile"], cwd=folder
        )
        # A command that fails is seen where another reads what it prints.
        self._send("set -o pipefail")
        self._send(f'make() {{ {self._make()} "$@"; }}')

    def type(self, step: Step) -> str:
        """Type the step's command and return what a reader would see."""
        command = step.command
        for written, put in self.elsewhere.items():
            command = command.replace(written, put)
        if _SERVES.fullmatch(command):
            return self._shown(self._served(command, step.printed))
        return self._shown(self._send(command))

    def close(self) -> None:
        """End the server as ctrl-C does, and then the shell."""
        if self._service is not None:
            self._end(self._service, signal.SIGINT)
        self._end(self._shell, signal.SIGTERM)

    def _end(self, child: subprocess.Popen[str], sign: int) -> None:
        """End a program, if it has not ended, and what it says."""
        if child.poll() is None:
            os.killpg(child.pid, sign)
        child.wait(30)
        if self._reader is not None and child is self._service:
            self._reader.join(30)
        assert child.stdin and child.stdout
        child.stdin.close()
        child.stdout.close()

    def _child(
        self, words: list[str], **rest: object
    ) -> subprocess.Popen[str]:
        """Start a program in a process group of its own."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            words,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **rest,
        )

    def _send(self, command: str) -> str:
        """Let the shell run `command`; return what it prints."""
        assert self._shell.stdin and self._shell.stdout
        # The exit code is kept for who types `echo $?` next.
        self._shell.stdin.write(
            f"{{ {command}\n}} <'{self.typed}'\n"
            f"__code=$?; printf '\\n%s\\n' '{_END}'; (exit $__code)\n"
        )
        self._shell.stdin.flush()
        deadline = self._deadline(self._shell)
        printed = ""
        for line in self._shell.stdout:
            if line == f"{_END}\n":
                break
            printed += line
        deadline.cancel()
        return printed.removesuffix("\n")

    def _served(self, command: str, expected: str) -> str:
        """Start a server; return what it prints until it is ready.

        Where an invitation is `expected`, the code ends what it says; a
        server that refuses to start ends by itself.
        """
        if self._service is not None:
            if self._service.poll() is None:
                raise RuntimeError("one server for a page is enough")
            self._end(self._service, signal.SIGINT)
        written = command.replace("make run", f"{self._make()} run")
        # What was exported counts in a second terminal, too.
        self._send("export -p > .exported")
        self._service = self._child(
            ["bash", "-c", f". ./.exported; {written}"], cwd=self.folder
        )
        invites = "CODE" in masked(expected)
        deadline = self._deadline(self._service)
        printed = ""
        assert self._service.stdout is not None
        for line in self._service.stdout:
            printed += line
            if line.startswith(" * Running") and not invites:
                break
            if invites and line.startswith("     ") and (
                "CODE" in masked(line)
            ):
                break
        else:
            # It refused, and has said why.
            self._service.wait(30)
        deadline.cancel()
        # Nobody reads the log, but somebody has to take it.
        self._reader = threading.Thread(
            target=self._service.stdout.read, daemon=True
        )
        self._reader.start()
        return printed

    @staticmethod
    def _deadline(child: subprocess.Popen[str]) -> threading.Timer:
        """Return the timer that kills a child without an end."""
        timer = threading.Timer(
            PATIENCE, os.killpg, (child.pid, signal.SIGKILL)
        )
        timer.daemon = True
        timer.start()
        return timer

    @staticmethod
    def _make() -> str:
        """Return how `make` is called: no environment is made anew."""
        venv = sys.prefix
        return (
            f"command make --no-print-directory -C '{ROOT}' VENV='{venv}'"
            f" -o '{venv}/.service' -o '{venv}/.develop'"
        )

    def _shown(self, printed: str) -> str:
        """Return what a reader would see: their folder, their port."""
        for python in (sys.executable, f"{sys.prefix}/bin/python"):
            for path in (python, python.removeprefix(f"{ROOT}/")):
                printed = printed.replace(path, WRITTEN_PYTHON)
        printed = printed.replace(f"{self.folder}/", "")
        return printed.replace(f":{self.port}", f":{WRITTEN_PORT}")

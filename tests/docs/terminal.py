#!/usr/bin/env python3
"""A reader's terminal: a shell in an empty folder, and what serves beside.

Its law: what a reader would type is what is run, on other ports and in
another folder. A command that serves goes on while others are typed, as
it would in a second terminal.
"""

import os
import re
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.backends import missing
from tests.docs.expectation import masked
from tests.docs.programs import Program
from tests.ports import free_port
from tests.serving import ROOT, environment

#: Where the documents let Vestibule, an application and a proxy listen.
VESTIBULE, APPLICATION, PROXY = "5000", "8000", "8080"
#: What a document calls the interpreter that is another in a test.
WRITTEN_PYTHON = ".venv/bin/python"
#: Where Debian has nginx, which the PATH of most people lacks.
_SBIN = "/usr/sbin"

_PORT = re.compile(
    r"(?:(?<=:)|(?<=listen )|(?<=--port ))"
    rf"(?:{VESTIBULE}|{APPLICATION}|{PROXY})\b"
)
_SERVES = re.compile(
    r"(?:\w+=\S* )*"
    r"(?:make run|\.venv/bin/python -m (?:vestibule serve|api\.v1\.app))"
)
#: Programs that serve beside it, and where.
_BESIDE = {
    "nginx": PROXY,
    "caddy": PROXY,
    "flask": APPLICATION,
    "uvicorn": APPLICATION,
    "gunicorn": APPLICATION,
}
_SERVES_BESIDE = re.compile(
    rf"(?:\w+=\S* )*(?:\.venv/bin/)?({'|'.join(_BESIDE)}) .*"
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
    """A shell whose folder is empty, and what was started beside it."""

    def __init__(self, folder: Path) -> None:
        """Open the shell in `folder`; its home is there too."""
        self.folder = folder
        self.ports = {
            written: str(free_port())
            for written in (VESTIBULE, APPLICATION, PROXY)
        }
        #: What the documents write, and what is there in its place.
        self.elsewhere: dict[str, str] = {}
        #: What is there to be read by a command that asks.
        self.typed = Path(os.devnull)
        self.env = environment(
            folder,
            API_HOST="127.0.0.1",
            API_PORT=self.ports[VESTIBULE],
            HOME=str(folder),
            PATH=f"{os.environ['PATH']}:{_SBIN}",
        )
        #: What serves, by where the documents let it listen.
        self._services: dict[str, Program] = {}
        (folder / ".venv").symlink_to(sys.prefix)
        # It draws no progress where somebody watches, as a reader does.
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        self._shell = Program(
            ["bash", "--norc", "--noprofile"], folder, self.env
        )
        # A command that fails is seen where another reads what it prints.
        self._send("set -o pipefail")
        self._send(f'make() {{ {self._make()} "$@"; }}')

    def type(self, step: Step) -> str:
        """Type the step's command and return what a reader would see."""
        command = self.placed(step.command)
        if _SERVES.fullmatch(command):
            return self._shown(self._served(command, step.printed))
        if beside := _SERVES_BESIDE.fullmatch(command):
            return self._shown(self._served_beside(command, beside[1]))
        return self._shown(self._send(command))

    def placed(self, text: str) -> str:
        """Return what a document writes with the ports of the test."""
        for written, put in self.elsewhere.items():
            text = text.replace(written, put)
        return _PORT.sub(lambda found: self.ports[found[0]], text)

    def close(self) -> None:
        """End what serves as ctrl-C does, and then the shell.

        A proxy comes first: a server waits for who keeps a connection.
        """
        with ExitStack() as ending:
            ending.callback(self._shell.end, signal.SIGTERM)
            for written in (VESTIBULE, APPLICATION, PROXY):
                if written in self._services:
                    ending.callback(self._services[written].end, signal.SIGINT)

    def _send(self, command: str) -> str:
        """Let the shell run `command`; return what it prints."""
        # The exit code is kept for who types `echo $?` next.
        self._shell.write(
            f"{{ {command}\n}} <'{self.typed}'\n"
            f"__code=$?; printf '\\n%s\\n' '{_END}'; (exit $__code)\n"
        )
        printed = self._shell.printed_until(f"{_END}\n".__eq__)
        return printed.removesuffix(f"{_END}\n").removesuffix("\n")

    def _served(self, command: str, expected: str) -> str:
        """Start a server; return what it prints until it is ready.

        Where an invitation is `expected`, the code ends what it says; a
        server that refuses to start ends by itself.
        """
        running = self._services.get(VESTIBULE)
        if running is not None and running.is_running():
            raise RuntimeError("one server for a page is enough")
        service = self._started(
            command.replace("make run", f"{self._make()} run"), VESTIBULE
        )
        invites = "CODE" in masked(expected)

        def is_last(line: str) -> bool:
            """Tell whether a line is the last before requests come."""
            if invites:
                return line.startswith("     ") and "CODE" in masked(line)
            return line.startswith(" * Running")

        printed = service.printed_until(is_last)
        service.leave()
        return printed

    def _served_beside(self, command: str, program: str) -> str:
        """Start a proxy or an application in the place of the last one."""
        path = f"{self.env['PATH']}:{sys.prefix}/bin"
        if shutil.which(program, path=path) is None:
            missing(program)
        if program == "nginx" and os.geteuid() == 0:
            # Its workers have to read the folder, which is for root alone.
            command += " -g 'user root;'"
        service = self._started(command, _BESIDE[program])
        return service.printed_until_open(int(self.ports[_BESIDE[program]]))

    def _started(self, command: str, written: str) -> Program:
        """Start what listens where the documents write `written`.

        What listened there ends; what was exported counts, too.
        """
        if written in self._services:
            self._services.pop(written).end(signal.SIGINT)
        self._send("export -p > .exported")
        service = self._services[written] = Program(
            ["bash", "-c", f". ./.exported; {command}"], self.folder, self.env
        )
        return service

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
        for written, port in self.ports.items():
            printed = printed.replace(f":{port}", f":{written}")
        return printed

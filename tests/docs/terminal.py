#!/usr/bin/env python3
"""A reader's terminal: a shell in an empty folder, and servers beside it.

The commands of a document run on other ports and in another folder. A command
that serves continues while others run, as in a second terminal.
"""

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from tests.backends import missing
from tests.docs.expectation import masked
from tests.docs.programs import Program
from tests.ports import free_port
from tests.serving import ROOT, environment

#: Ports of Vestibule, an application and a proxy in the documents.
VESTIBULE, APPLICATION, PROXY = "5000", "8000", "8080"
#: The interpreter's path in the documents.
WRITTEN_PYTHON = ".venv/bin/python"
#: Debian's folder of nginx, which is not in the PATH of most users.
_SBIN = "/usr/sbin"

_PORT = re.compile(
    r"(?:(?<=:)|(?<=listen )|(?<=--port ))"
    rf"(?:{VESTIBULE}|{APPLICATION}|{PROXY})\b"
)
_SERVES = re.compile(
    r"(?:\w+=\S* )*"
    r"(?:make run|\.venv/bin/python -m (?:vestibule serve|api\.v1\.app))"
)
#: Other programs that serve, and their documented ports.
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
#: The state TCP_LISTEN in /proc/net/tcp.
_LISTENING = "0A"


class Step(NamedTuple):
    """A command and the output that follows it."""

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


def listening_sockets() -> Iterator[tuple[IPv4Address | IPv6Address, int]]:
    """Yield the address and port of each listening TCP socket of Linux."""
    for table in ("tcp", "tcp6"):
        lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        for _, local, _, state, *_ in map(str.split, lines):
            if state != _LISTENING:
                continue
            digits, _, port = local.partition(":")
            # The kernel writes each group of four bytes backwards.
            groups = re.findall("." * 8, digits)
            packed = b"".join(bytes.fromhex(one)[::-1] for one in groups)
            yield ip_address(packed), int(port, 16)


class Terminal:
    """A shell in an empty folder, and the servers beside it."""

    def __init__(self, folder: Path) -> None:
        """Start the shell in `folder`, which is also its home."""
        self.folder = folder
        self.ports = {
            written: str(free_port())
            for written in (VESTIBULE, APPLICATION, PROXY)
        }
        #: Texts of the documents, and their replacements.
        self.elsewhere: dict[str, str] = {}
        #: The standard input of commands.
        self.typed = Path(os.devnull)
        self.env = environment(
            folder,
            API_HOST="127.0.0.1",
            API_PORT=self.ports[VESTIBULE],
            HOME=str(folder),
            PATH=f"{os.environ['PATH']}:{_SBIN}",
        )
        #: The running servers, by documented port.
        self._services: dict[str, Program] = {}
        (folder / ".venv").symlink_to(sys.prefix)
        # Without a terminal, curl would print its progress.
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        self._shell = Program(
            ["bash", "--norc", "--noprofile"], folder, self.env
        )
        # A failure in a pipe must not be hidden.
        self._send("set -o pipefail")
        self._send(f'make() {{ {self._make()} "$@"; }}')

    def type(self, step: Step) -> str:
        """Run the step's command and return its output as documented."""
        command = self.placed(step.command)
        if _SERVES.fullmatch(command):
            return self._shown(self._serve(command, step.printed))
        if beside := _SERVES_BESIDE.fullmatch(command):
            return self._shown(self._serve_beside(command, beside[1]))
        return self._shown(self._send(command))

    def exposed(self) -> set[str]:
        """Return the ports here that other machines could reach.

        What a reader tries out listens on the loopback interface alone.
        """
        ours = {int(port) for port in self.ports.values()}
        return {
            f"port {port} listens on {address}"
            for address, port in listening_sockets()
            if port in ours and not address.is_loopback
        }

    def placed(self, text: str) -> str:
        """Return a document's text with the ports of the test."""
        for written, put in self.elsewhere.items():
            text = text.replace(written, put)
        return _PORT.sub(lambda found: self.ports[found[0]], text)

    def close(self) -> None:
        """End the servers by SIGINT, then the shell.

        A proxy ends first, because a server waits for open connections.
        """
        with ExitStack() as ending:
            ending.callback(self._shell.end, signal.SIGTERM)
            for written in (VESTIBULE, APPLICATION, PROXY):
                if written in self._services:
                    ending.callback(self._services[written].end, signal.SIGINT)

    def _send(self, command: str) -> str:
        """Run `command` in the shell; return its output."""
        # The exit code is kept for `echo $?`.
        self._shell.write(
            f"{{ {command}\n}} <'{self.typed}'\n"
            f"__code=$?; printf '\\n%s\\n' '{_END}'; (exit $__code)\n"
        )
        printed = self._shell.printed_until(f"{_END}\n".__eq__)
        return printed.removesuffix(f"{_END}\n").removesuffix("\n")

    def _serve(self, command: str, expected: str) -> str:
        """Start a server; return its output until it is ready.

        If a setup code is `expected`, the output ends with it; a server that
        refuses to start ends by itself.
        """
        running = self._services.get(VESTIBULE)
        if running is not None and running.is_running():
            raise RuntimeError("one server for a page is enough")
        service = self._start(
            command.replace("make run", f"{self._make()} run"), VESTIBULE
        )
        invites = "CODE" in masked(expected)

        def is_last(line: str) -> bool:
            """Return True if the line is the last before requests come."""
            if invites:
                return line.startswith("     ") and "CODE" in masked(line)
            return line.startswith(" * Running")

        printed = service.printed_until(is_last)
        service.discard_output()
        return printed

    def _serve_beside(self, command: str, program: str) -> str:
        """Start a proxy or an application in place of the previous one."""
        path = f"{self.env['PATH']}:{sys.prefix}/bin"
        if shutil.which(program, path=path) is None:
            missing(program)
        if program == "nginx" and os.geteuid() == 0:
            # Its workers must read the folder, which only root can.
            command += " -g 'user root;'"
        service = self._start(command, _BESIDE[program])
        return service.printed_until_open(int(self.ports[_BESIDE[program]]))

    def _start(self, command: str, written: str) -> Program:
        """Start a server on the documented port `written`.

        The previous server of that port ends; exported variables are passed
        on.
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
        """Return the `make` command that creates no environment."""
        venv = sys.prefix
        return (
            f"command make --no-print-directory -C '{ROOT}' VENV='{venv}'"
            f" -o '{venv}/.service' -o '{venv}/.develop'"
        )

    def _shown(self, printed: str) -> str:
        """Return the output with the documented paths and ports."""
        for python in (sys.executable, f"{sys.prefix}/bin/python"):
            for path in (python, python.removeprefix(f"{ROOT}/")):
                printed = printed.replace(path, WRITTEN_PYTHON)
        printed = printed.replace(f"{self.folder}/", "")
        for written, port in self.ports.items():
            printed = printed.replace(f":{port}", f":{written}")
        return printed

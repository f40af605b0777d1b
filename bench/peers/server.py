#!/usr/bin/env python3
"""The server of a peer, pinned to one core, and checks of its responses.

It is ended by its process id and those of its children. Its output goes
into a file, whose last lines are shown if it fails.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bench.cores import pin_server
from bench.peers.responses import check_anonymous, check_named

WHOAMI = "/whoami"
#: Seconds for a start, and for an end.
_MAX_WAIT_SECONDS = 60
#: A cookie's value that no server has issued.
_INVENTED_VALUE = "00000000-0000-4000-8000-00000000dead"


class PeerServer:
    """A server with one worker, as a child process on loopback."""

    def __init__(self, name: str, port: int, path: str, folder: Path) -> None:
        """Prepare a server called `name` that logs into `folder`."""
        self.name = name
        self.port = port
        self.path = path
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{port}.log"
        self._folder = folder

    def start(self, command: list[str], env: dict[str, str]) -> None:
        """Start it on the serving core and wait until it answers.

        Raise `RuntimeError` with its last lines of output if it does not.
        """
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=pin_server,
            )
        give_up = time.monotonic() + _MAX_WAIT_SECONDS
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                requests.get(
                    self.url + self.path, timeout=5, allow_redirects=False
                )
                return
            except requests.RequestException:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.name} did not start:\n{self.last_lines()}")

    def stop(self) -> None:
        """End it and its children; kill those that remain."""
        children = self.pids()[1:]
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_MAX_WAIT_SECONDS / 4)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            # A worker follows its parent; one that hangs does not.
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def pids(self) -> list[int]:
        """Return the ids of its process and of that one's children."""
        pid = self._process.pid
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [
            pid,
            *(
                int(child)
                for task in tasks
                for child in task.read_text().split()
            ),
        ]

    def last_lines(self) -> str:
        """Return the last lines of its output."""
        return "\n".join(
            self._log.read_text(errors="replace").splitlines()[-15:]
        )

    def check(self, cookies: dict[str, str]) -> None:
        """Check that each header of `cookies` identifies its user.

        Such a request gets 200 and the email; one without the header or
        with invented values does not. Raise `WrongResponse` otherwise.
        """
        for email, header in cookies.items():
            found = self.request(header)
            check_named(self.name, found.status_code, found.text, email)
        names = [
            part.partition("=")[0].strip()
            for part in next(iter(cookies.values())).split(";")
        ]
        invented = "; ".join(f"{name}={_INVENTED_VALUE}" for name in names)
        for without in (None, invented):
            found = self.request(without)
            check_anonymous(
                self.name, found.status_code, found.text, list(cookies)
            )

    def request(self, cookies: str | None) -> requests.Response:
        """Return the response to a request with these `cookies`."""
        return requests.get(
            self.url + self.path,
            headers={} if cookies is None else {"Cookie": cookies},
            timeout=30,
            allow_redirects=False,
        )


@contextmanager
def started(
    served: PeerServer, command: list[str], env: dict[str, str]
) -> Iterator[PeerServer]:
    """Start a server for a `with` block, and end it."""
    served.start(command, env)
    try:
        yield served
    finally:
        served.stop()

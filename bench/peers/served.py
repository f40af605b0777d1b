#!/usr/bin/env python3
"""A program that serves, pinned to one core, and what it is asked.

Its law: what was started ends, by its own process id and those of its
children; what it says goes into a file, of which the end is shown if it
fails.
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
from bench.peers.answers import check_named, check_nobody

WHOAMI = "/whoami"
#: Seconds for a start, and for an end.
_PATIENCE = 60
#: A cookie's value that no server ever gave to anybody.
_MADE_UP = "00000000-0000-4000-8000-00000000dead"


class Served:
    """A server with one worker, as a child process on loopback."""

    def __init__(self, name: str, port: int, path: str, folder: Path) -> None:
        """Speak of `name`; its words go into `folder`."""
        self.name = name
        self.port = port
        self.path = path
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{port}.log"
        self._folder = folder

    def start(self, command: list[str], env: dict[str, str]) -> None:
        """Start it on the serving core and wait until it answers.

        Raise `RuntimeError` with its last words if it does not.
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
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                requests.get(
                    self.url + self.path, timeout=5, allow_redirects=False
                )
                return
            except requests.RequestException:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.name} did not start:\n{self.last()}")

    def stop(self) -> None:
        """End it and what it started; whatever stays is killed."""
        children = self.pids()[1:]
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE / 4)
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

    def last(self) -> str:
        """Return the last lines that it said."""
        return "\n".join(
            self._log.read_text(errors="replace").splitlines()[-15:]
        )

    def check(self, cookies: dict[str, str]) -> None:
        """Make sure that each header of `cookies` names its email.

        It is answered 200 there, and never without such a header, nor
        with made-up values. Raise `WrongAnswer` otherwise.
        """
        for email, header in cookies.items():
            found = self.ask(header)
            check_named(self.name, found.status_code, found.text, email)
        names = [
            part.partition("=")[0].strip()
            for part in next(iter(cookies.values())).split(";")
        ]
        made_up = "; ".join(f"{name}={_MADE_UP}" for name in names)
        for without in (None, made_up):
            found = self.ask(without)
            check_nobody(
                self.name, found.status_code, found.text, list(cookies)
            )

    def ask(self, cookies: str | None) -> requests.Response:
        """Return its answer to who sends these `cookies`."""
        return requests.get(
            self.url + self.path,
            headers={} if cookies is None else {"Cookie": cookies},
            timeout=30,
            allow_redirects=False,
        )


@contextmanager
def started(
    served: Served, command: list[str], env: dict[str, str]
) -> Iterator[Served]:
    """Start a server for a `with` block, and end it."""
    served.start(command, env)
    try:
        yield served
    finally:
        served.stop()

#!/usr/bin/env python3
"""A program that a reader's terminal runs: its shell or a server.

All child processes end with the program, and each wait is bounded.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.e2e.forward_auth.proxies import is_open
from tests.e2e.server.waiting import wait_until

#: Maximum seconds of a command on a busy machine.
MAX_WAIT_SECONDS = 60


class Program:
    """A program in a process group of its own, and its output."""

    def __init__(
        self, words: list[str], folder: Path, env: dict[str, str]
    ) -> None:
        """Start it in `folder`."""
        self._child = subprocess.Popen(
            words,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader: threading.Thread | None = None

    def is_running(self) -> bool:
        """Return True if it has not ended."""
        return self._child.poll() is None

    def write(self, text: str) -> None:
        """Write `text` to its standard input."""
        assert self._child.stdin
        self._child.stdin.write(text)
        self._child.stdin.flush()

    def printed_until(self, is_last: Callable[[str], bool]) -> str:
        """Return the output up to the line for which `is_last` is true.

        A program that ends has printed everything; after `MAX_WAIT_SECONDS` it
        is killed.
        """
        deadline = self._deadline()
        printed = ""
        assert self._child.stdout
        for line in self._child.stdout:
            printed += line
            if is_last(line):
                break
        else:
            self._child.wait(30)
        deadline.cancel()
        return printed

    def printed_until_open(self, port: int) -> str:
        """Return the output until it accepts connections on `port`.

        A program that ends instead has printed its error.
        """
        printed: list[str] = []
        self._read(printed.append)
        wait_until(
            MAX_WAIT_SECONDS, lambda: not self.is_running() or is_open(port)
        )
        if not self.is_running() and self._reader is not None:
            self._reader.join(30)
        return "".join(printed)

    def discard_output(self) -> None:
        """Read and discard the rest of the output: it must not block."""
        self._read(lambda line: None)

    def end(self, sign: int) -> None:
        """End it by a signal unless it has ended, and its output."""
        if self.is_running():
            os.killpg(self._child.pid, sign)
        deadline = self._deadline()
        self._child.wait()
        deadline.cancel()
        if self._reader is not None:
            self._reader.join(30)
        assert self._child.stdin and self._child.stdout
        self._child.stdin.close()
        self._child.stdout.close()

    def _deadline(self) -> threading.Timer:
        """Return a timer that kills the program unless cancelled."""
        timer = threading.Timer(
            MAX_WAIT_SECONDS, os.killpg, (self._child.pid, signal.SIGKILL)
        )
        timer.daemon = True
        timer.start()
        return timer

    def _read(self, take: Callable[[str], None]) -> None:
        """Pass each line to `take` in a thread."""
        assert self._child.stdout

        def read(lines: Iterable[str] = self._child.stdout) -> None:
            """Read to the end."""
            for line in lines:
                take(line)

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

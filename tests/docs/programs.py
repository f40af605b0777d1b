#!/usr/bin/env python3
"""A program that a reader's terminal runs: its shell, or what serves.

Its law: whatever it started ends with it, and none is waited for without
an end.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.e2e.forward_auth.proxies import is_open
from tests.e2e.server.waiting import wait_until

#: Seconds that a command may take on a busy machine.
PATIENCE = 60


class Program:
    """A program in a process group of its own, and what it prints."""

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
        """Tell whether it has not ended."""
        return self._child.poll() is None

    def write(self, text: str) -> None:
        """Let it read `text`."""
        assert self._child.stdin
        self._child.stdin.write(text)
        self._child.stdin.flush()

    def printed_until(self, is_last: Callable[[str], bool]) -> str:
        """Return what it prints, up to the line that is the last.

        One that ends has printed all. It is killed where neither comes.
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
        """Return what it prints until it takes connections on `port`.

        One that ends instead has said why.
        """
        printed: list[str] = []
        self._read(printed.append)
        wait_until(PATIENCE, lambda: not self.is_running() or is_open(port))
        if not self.is_running() and self._reader is not None:
            self._reader.join(30)
        return "".join(printed)

    def leave(self) -> None:
        """Take what it prints from here on: somebody has to."""
        self._read(lambda line: None)

    def end(self, sign: int) -> None:
        """End it by a signal, if it has not ended, and what it says."""
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
        """Return the timer that kills it if nobody cancels it."""
        timer = threading.Timer(
            PATIENCE, os.killpg, (self._child.pid, signal.SIGKILL)
        )
        timer.daemon = True
        timer.start()
        return timer

    def _read(self, take: Callable[[str], None]) -> None:
        """Give each line to `take`, by a thread."""
        assert self._child.stdout

        def read(lines: Iterable[str] = self._child.stdout) -> None:
            """Read to the end."""
            for line in lines:
                take(line)

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

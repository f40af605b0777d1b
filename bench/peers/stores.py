#!/usr/bin/env python3
"""A throwaway Redis for the peers, on a free loopback port."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.ports import free_port

_MAX_WAIT_SECONDS = 30


class Redis:
    """A server that keeps everything in memory, stopped by its pid."""

    def __init__(self, folder: Path) -> None:
        """Start it in `folder` and wait until it takes connections.

        Raise `RuntimeError` if it does not within half a minute.
        """
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = subprocess.Popen(
            [
                "redis-server",
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(folder),
                "--save",
                "",
                "--appendonly",
                "no",
            ],
            stdout=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + _MAX_WAIT_SECONDS
        while time.monotonic() < give_up:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError("Redis did not start")

    @staticmethod
    def find() -> str | None:
        """Return the program's path, or `None` if it is not installed."""
        return shutil.which("redis-server")

    def stop(self) -> None:
        """End the server and wait for its end."""
        self._process.terminate()
        self._process.wait(_MAX_WAIT_SECONDS)

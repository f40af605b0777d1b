#!/usr/bin/env python3
"""Bounded waits for another process."""

import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.serving import Server


def wait_until(seconds: float, condition: Callable[[], object]) -> bool:
    """Return True if `condition` becomes true within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_serving(server: Server) -> bool:
    """Return True if the server responds to a request now."""
    try:
        return server.request("GET", "/api/v1/status").status_code == 200
    except requests.RequestException:
        return False


def is_alive(pid: int) -> bool:
    """Return True if a thread of the process runs.

    A zombie does not count. The first thread may be gone while the last one
    still holds the sockets.
    """
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            text = task.read_text()
        except OSError:
            continue
        if text.rpartition(")")[2].split()[0] not in "ZX":
            return True
    return False

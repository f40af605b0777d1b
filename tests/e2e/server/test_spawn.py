#!/usr/bin/env python3
"""Workers that are spawned instead of forked, as on macOS."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.app.metrics.scrape import samples
from tests.e2e.server.waiting import is_serving, wait_until
from tests.serving import DB_SESSIONS, ROOT, Server

#: The server on a platform whose default is `spawn`.
SPAWNING = """
import multiprocessing
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    from vestibule.server import granian
    granian.main()
"""
#: A program that believes to run on Windows.
ON_WINDOWS = """
import runpy, sys
sys.platform = "win32"
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""


def spawned(server: Server) -> list[int]:
    """Return the pids of the spawned workers of `server`."""
    return [
        pid
        for pid in server.workers()
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def number(server: Server, name: str) -> float:
    """Return the sum of a metric's samples in one scrape.

    Return -1 if the worker that was asked has just died.
    """
    try:
        text = server.request("GET", "/metrics").text
    except requests.RequestException:
        return -1
    return sum(
        value
        for (metric, labels), value in samples(text).items()
        if metric == name
    )


def test_spawned_workers_share_their_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One scrape reports both workers, and the exit of one."""
    monkeypatch.setattr(Server, "program", ("-c", SPAWNING))
    server = Server(tmp_path, **DB_SESSIONS, WORKERS="2").start()
    try:
        assert wait_until(
            30,
            lambda: (
                is_serving(server) and number(server, "vestibule_workers") == 2
            ),
        )
        os.kill(spawned(server)[0], signal.SIGKILL)
        assert wait_until(
            10,
            lambda: number(server, "vestibule_worker_exits_total") == 1,
        )
        assert wait_until(30, lambda: len(spawned(server)) == 2)
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("module", ["vestibule", "api.v1.app"])
def test_start_on_windows_is_refused_in_one_line(module: str) -> None:
    """The line names the systems that are supported."""
    done = subprocess.run(
        [sys.executable, "-c", ON_WINDOWS, module],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "vestibule: the service runs on Linux and macOS, not on Windows\n"
    )

#!/usr/bin/env python3
"""The end of a server: it drains, and a second signal ends it at once."""

import fcntl
import os
import pty
import signal
import socket
import termios
import time
from pathlib import Path

import pytest
import requests

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines
from tests.e2e.server.waiting import is_alive, is_serving, wait_until
from tests.e2e.server.wire import FORM
from tests.serving import DB_SESSIONS, LOGIN, VERIFY, Server

#: Seconds of `DRAIN_DELAY` for a test that looks at the server meanwhile.
LONG = "3"
#: Seconds of `DRAIN_DELAY` that no test waits for.
FOREVER = "600"


def is_ready(server: Server) -> bool:
    """Return True if the server says that it is ready."""
    status: int = server.request("GET", "/readyz").status_code
    assert status in (200, 503)
    return status == 200


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("to_all", [False, True], ids=["parent", "group"])
def test_draining_server_serves_but_is_not_ready(
    serve: Serve, workers: str, to_all: bool
) -> None:
    """SIGTERM, to the parent or to all processes as systemd sends it, begins
    the drain; then the port closes.
    """
    server = serve(**DB_SESSIONS, DRAIN_DELAY=LONG, WORKERS=workers)
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    with requests.Session() as kept:
        first = kept.get(f"{server.url}/api/v1/status")
        assert "Connection" not in first.headers
        begun = time.monotonic()
        for pid in [*(server.workers() if to_all else ()), server.process.pid]:
            os.kill(pid, signal.SIGTERM)
        assert wait_until(20, lambda: not is_ready(server))
        # Each worker learns of it by itself, within a tenth of a second.
        assert wait_until(
            1, lambda: not any(is_ready(server) for _ in range(20))
        )
        for path in ("/api/v1/status", VERIFY, "/readyz", "/nowhere"):
            answer = server.request("GET", path, cookie=session)
            assert answer.headers["Connection"] == "close", path
        assert server.request("GET", "/healthz").status_code == 200
        server.login(EMAIL, PASSWORD)
        last = kept.get(f"{server.url}/api/v1/status")
        assert last.headers["Connection"] == "close"
    assert server.process.wait(20) == 0
    assert time.monotonic() - begun >= int(LONG)
    assert not is_serving(server)
    assert server.stop() == 0
    assert defect_lines(server) == []


@pytest.mark.parametrize("moment", ["drain", "request in flight"])
def test_second_signal_ends_server_at_once(serve: Serve, moment: str) -> None:
    """Neither the drain nor a request in flight is waited for."""
    delay = FOREVER if moment == "drain" else "0"
    server = serve(**DB_SESSIONS, DRAIN_DELAY=delay, BODY_TIMEOUT="600")
    head = ["Host: a", FORM.decode(), "Content-Length: 9"]
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        lines = [f"POST {LOGIN} HTTP/1.1", *head, "", ""]
        wire.sendall("\r\n".join(lines).encode())
        workers = server.workers()
        assert is_serving(server)
        server.process.send_signal(signal.SIGTERM)
        if moment == "drain":
            assert wait_until(20, lambda: not is_ready(server))
        else:
            assert wait_until(10, lambda: not is_serving(server))
        time.sleep(0.1)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
    assert not any(is_alive(pid) for pid in workers)
    server.stop()


@pytest.mark.parametrize("is_first", [True, False], ids=["new", "kept"])
def test_half_of_a_header_does_not_delay_the_end(
    serve: Serve, is_first: bool
) -> None:
    """A server that is restarted is not away for as long as a client likes.

    A request in progress may take 30 seconds.
    """
    server = serve(**DB_SESSIONS, DRAIN_DELAY="0")
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        if not is_first:
            wire.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.recv(1000)
        wire.sendall(b"GET /api/v1/st")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    assert server.stop() == 0
    assert defect_lines(server) == []


def test_interrupt_ends_server_without_drain(serve: Serve) -> None:
    """Ctrl-C does not let a person wait for a load balancer."""
    server = serve(**DB_SESSIONS, DRAIN_DELAY=FOREVER)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(15) == 0
    assert server.stop() == 0


def test_closed_terminal_ends_foreground_server(tmp_path: Path) -> None:
    """The kernel sends SIGHUP to all processes of the terminal."""
    terminal, inside = pty.openpty()

    def enter_terminal() -> None:
        """Make the terminal the one of this process."""
        # The tests may have been started by nohup.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.setsid()
        fcntl.ioctl(inside, termios.TIOCSCTTY, 0)

    server = Server(tmp_path, **DB_SESSIONS, DRAIN_DELAY=FOREVER)
    server.start(preexec=enter_terminal)
    workers = server.workers()
    os.close(inside)
    os.close(terminal)
    assert server.process.wait(15) == 0
    assert not any(is_alive(pid) for pid in workers)
    assert server.stop() == 0


def test_server_started_by_nohup_survives_its_terminal(tmp_path: Path) -> None:
    """It keeps ignoring SIGHUP, in all its processes."""

    def ignore() -> None:
        """Ignore SIGHUP as nohup does."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    server = Server(tmp_path, **DB_SESSIONS).start(preexec=ignore)
    before = server.workers()
    for pid in (*before, server.process.pid):
        os.kill(pid, signal.SIGHUP)
    time.sleep(0.5)
    assert is_serving(server)
    assert server.workers() == before
    assert server.stop() == 0

#!/usr/bin/env python3
"""Measured logins: only successful ones count, and servers end."""

import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.load import BadAnswers
from bench.peers.__main__ import main
from bench.peers.queries import Attempt, LoginLoad
from bench.peers.server import PeerServer, started
from tests.ports import free_port

#: A server that answers one path, in one line, for a moment's test.
SERVER = (
    "import sys; from http.server import *;"
    "HTTPServer(('127.0.0.1', int(sys.argv[1])),"
    " SimpleHTTPRequestHandler).serve_forever()"
)


class Door(BaseHTTPRequestHandler):
    """Lets in who knows the word; a cookie says so, except at `/mute`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a login."""
        length = int(self.headers["Content-Length"])
        known = self.rfile.read(length) == b"word"
        self.send_response(200 if known else 401)
        if self.path != "/mute":
            self.send_header("Set-Cookie", "session=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@pytest.fixture(scope="module")
def door() -> Iterator[int]:
    """Yield the port of a server that one can log in to."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def logged_into(port: int, *attempts: Attempt) -> LoginLoad:
    """Return a measure of logins of this very process."""
    return LoginLoad("door", port, lambda: [os.getpid()], [*attempts])


def test_successful_logins_are_counted(door: int) -> None:
    """The rate and the cost of one are noted for each run."""
    measured = logged_into(door, ("/", {}, "word"))
    measured.measure(0)
    measured.measure(0)
    assert len(measured.rates) == len(measured.costs) == 2
    assert min(measured.rates) > 0


@pytest.mark.parametrize("bad", [("/", {}, "guess"), ("/mute", {}, "word")])
def test_failed_login_ends_the_run(door: int, bad: Attempt) -> None:
    """A refusal ends the run, and so does a login without a cookie."""
    measured = logged_into(door, ("/", {}, "word"), bad)
    with pytest.raises(BadAnswers, match="door: no login"):
        measured.measure(1)
    assert measured.rates == []


def test_failed_start_is_an_error_with_the_log(tmp_path: Path) -> None:
    """The last lines of the server are in the error."""
    served = PeerServer("dead", free_port(), "/", tmp_path)
    with pytest.raises(RuntimeError, match=r"dead did not start:\nwhy"):
        served.start(
            [sys.executable, "-c", "raise SystemExit('why')"],
            dict(os.environ),
        )


def test_server_ends_with_its_block(tmp_path: Path) -> None:
    """It answers inside, and its process is gone afterwards."""
    port = free_port()
    served = PeerServer("alive", port, "/", tmp_path)
    command = [sys.executable, "-c", SERVER, str(port)]
    with started(served, command, dict(os.environ)):
        assert served.request("a=1").status_code == 200
        (pid,) = served.pids()
    assert not Path(f"/proc/{pid}").exists()


def test_missing_wrk_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is installed or measured by another tool."""
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["--folder", str(tmp_path / "peers")])
    assert done.exit_code == 1
    assert "wrk, which is not installed" in done.output
    assert not (tmp_path / "peers").exists()

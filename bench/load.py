#!/usr/bin/env python3
"""Loads a server by wrk where it is installed, else by our own client.

Only good responses count as throughput: a run with others is an error,
not a number.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.serving import COOKIE, ROOT

#: Seconds after which wrk counts a request as lost. On a machine that is
#: busy, an honest answer can take longer than the two that it would wait.
PATIENCE = 10
_SCRIPT = str(Path(__file__).with_name("load.lua"))


class BadAnswers(RuntimeError):
    """The server gave a wrong response during a measurement."""


@dataclass(frozen=True)
class Seen:
    """The result of a run: successful responses/s and milliseconds."""

    rate: float
    p50: float
    p99: float


class Generator:
    """Starts processes that make load, each by the same tool."""

    def __init__(self, folder: Path, tool: str | None = None) -> None:
        """Keep files of requests in `folder`; `tool` is `wrk` or `own`."""
        self._folder = folder
        self._files = 0
        found = "wrk" if shutil.which("wrk") else "own"
        self.tool = tool or found

    def file(self, requests: list[bytes]) -> Path:
        """Return a new file of whole requests, to be sent in turn."""
        self._files += 1
        path = self._folder / f"requests{self._files}"
        path.write_bytes(b"".join(one + b"\0" for one in requests))
        return path

    def start(
        self,
        port: int,
        requests: Path,
        connections: int,
        seconds: int,
        wanted: str = "",
    ) -> "Run":
        """Start to send `requests` to a server; `finish` waits for it.

        An answer is good if it is a 200 that has the text `wanted`; where
        none is given, if it is no 4xx and no 5xx.
        """
        shown = str(seconds)
        if self.tool == "wrk":
            command = [
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{shown}s",
                "--timeout",
                f"{PATIENCE}s",
                "-s",
                _SCRIPT,
                f"http://127.0.0.1:{port}/",
                "--",
                str(requests),
            ]
        else:
            command = [
                sys.executable,
                "-m",
                "bench.client",
                str(port),
                str(requests),
                str(connections),
                shown,
            ]
        return Run([*command, *filter(None, [wanted])], seconds)

    def run(
        self,
        port: int,
        requests: Path,
        connections: int,
        seconds: int,
        wanted: str = "",
    ) -> Seen:
        """Send `requests` for some seconds and return the result."""
        return self.start(
            port, requests, connections, seconds, wanted
        ).finish()


class Run:
    """A load generator at work."""

    def __init__(self, command: list[str], seconds: int) -> None:
        """Start it by its `command`."""
        self._seconds = seconds
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def finish(self) -> Seen:
        """Wait for its end; raise `BadAnswers` unless all were good."""
        try:
            said, _ = self._process.communicate(timeout=self._seconds + 30)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        if self._process.returncode:
            raise BadAnswers(f"no load was made: {said}")
        seen = json.loads(said.splitlines()[-1])
        if seen["refused"] or seen["broken"] or not seen["answers"]:
            raise BadAnswers(f"not all answers were good: {seen}")
        return Seen(
            seen["answers"] / seen["seconds"], seen["p50"], seen["p99"]
        )


def get(path: str, session_id: str) -> bytes:
    """Return a whole GET request with a session cookie of ours."""
    return get_with(path, f"{COOKIE}={session_id}")


def get_with(path: str, cookies: str) -> bytes:
    """Return a whole GET request with a `Cookie` header."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n"
    ).encode()


def get_forwarded(path: str, session_id: str) -> bytes:
    """Return a whole GET request of a proxy, for one of 500 pages."""
    page = int(sha256(session_id.encode()).hexdigest(), 16) % 500
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Cookie: {COOKIE}={session_id}\r\n"
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-Host: app.example\r\nX-Forwarded-Method: GET\r\n"
        f"X-Forwarded-Uri: /pages/{page}?q=1\r\n\r\n"
    ).encode()


def post(path: str, form: str) -> bytes:
    """Return a whole POST request with an encoded `form`."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n{form}"
    ).encode()

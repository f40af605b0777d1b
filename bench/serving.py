#!/usr/bin/env python3
"""The servers that are measured, each pinned to the serving core."""

import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from bench.cores import pin_server
from bench.filling import PASSWORD, Known
from tests.serving import COOKIE, Server

ME = "/api/v1/users/me"
STATUS = "/api/v1/status"
LOGIN = "/api/v1/auth_session/login"
VERIFY = "/api/v1/auth_session/verify"


class PinnedServer(Server):
    """The service on one core, as an operator would start it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Prepare a server with sessions of twelve hours."""
        folder.mkdir(exist_ok=True)
        super().__init__(
            folder,
            **{
                "AUTH_TYPE": "session_db_auth",
                "SESSION_NAME": COOKIE,
                "SESSION_DURATION": "43200",
                **settings,
            },
        )
        # A service that is installed has its modules compiled.
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)

    def start(self, preexec: Any = pin_server) -> Server:
        """Start it and its worker on the serving core."""
        return super().start(preexec)

    def __enter__(self) -> "PinnedServer":
        """Start the server for a `with` block."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server, unless it is stopped already."""
        if self.process.poll() is None:
            self.stop()

    def peak_memory(self) -> float:
        """Return the peak resident memory of its worker in MB (10^6 bytes)."""
        return self._memory("VmHWM")

    def memory(self) -> float:
        """Return the resident memory of its worker in MB (10^6 bytes)."""
        return self._memory("VmRSS")

    def _memory(self, wanted: str) -> float:
        """Return a memory figure of its worker from /proc, in MB."""
        (worker,) = self.workers()
        for line in Path(f"/proc/{worker}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == wanted:
                return int(value.split()[0]) * 1024 / 1e6
        raise RuntimeError("the kernel shows no memory figures in /proc")

    def check(self, known: list[Known]) -> int:
        """Check that session cookies identify their users, and nothing else.

        Return the length of the answers' bodies.
        """
        for cookie, status in ((None, 401), (known[0].email, 403)):
            refused = self.request("GET", ME, cookie)
            _expect(refused.status_code == status, refused)
        lengths = set()
        for session_id, email in known[:: max(1, len(known) // 10)]:
            response = self.request("GET", ME, session_id)
            _expect(response.status_code == 200, response)
            _expect(response.json()["email"] == email, response)
            lengths.add(len(response.content))
        _expect(len(lengths) == 1, response)
        return lengths.pop()

    def logged_in(self, emails: list[str]) -> list[Known]:
        """Log users in and return their sessions."""
        return [Known(self.login(email, PASSWORD), email) for email in emails]


class BareServer(PinnedServer):
    """A bare Flask route, started as the service is."""

    kind = "flask"

    def __init__(self, folder: Path, length: int) -> None:
        """Prepare a server whose bodies have `length` bytes."""
        super().__init__(folder)
        self.program = ("-m", "bench.bare", f"{self.kind}:{length}")
        self._length = length

    def check(self, known: list[Known]) -> int:
        """Check that it responds without a session, with as many bytes."""
        response = self.request("GET", ME)
        _expect(response.status_code == 200, response)
        _expect(len(response.content) == self._length, response)
        return self._length


class ConstantServer(BareServer):
    """One constant response, started as the service is."""

    kind = "constant"


class UngatedServer(PinnedServer):
    """The service without its middleware, started as the service is."""

    program = ("-m", "bench.bare", "ungated:0")


def timed_start(server: Server) -> tuple[float, float]:
    """Start it; return the seconds to its line and to its first answer."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(1) as other:
        answered = other.submit(_first_answer, server.port)
        server.start()
        said = time.perf_counter()
        return said - begun, answered.result() - begun


def _first_answer(port: int) -> float:
    """Send requests steadily; return the time of the first 200."""
    give_up = time.perf_counter() + 30
    while time.perf_counter() < give_up:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", STATUS)
            if connection.getresponse().status == 200:
                return time.perf_counter()
        except (OSError, HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    raise TimeoutError("the server never answered")


def _expect(kept: bool, response: Any) -> None:
    """Raise `AssertionError` about `response` unless `kept`."""
    if not kept:
        raise AssertionError(
            f"{response.request.path_url}: {response.status_code}"
            f" {response.text}"
        )

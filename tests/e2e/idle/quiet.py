#!/usr/bin/env python3
"""A server that answers bursts of requests and is left alone in between."""

import base64
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

from tests.e2e.server.wire import FORM, begin, finish
from tests.serving import COOKIE, Server

EMAIL = "bob@hbtn.io"
PASSWORD = "H0lbertonSchool98!"
#: Requests that are sent at the same moment, one burst after the other.
BURSTS = (2, 8, 16, 64)
LOGIN = b"/api/v1/auth_session/login"
VERIFY = b"/api/v1/auth_session/verify"
#: The server, with granian's shortest time until an idle thread ends.
SHORT_LIVED_THREADS = """
from vestibule.server.granian import main
from vestibule.server import granian
granian.THREADS_IDLE_TIMEOUT = 5
main()
"""
_ADD_ADMIN = """
import sys
from models.user import User
user = User(email=sys.argv[1])
user.password = sys.argv[2]
user.role = "admin"
user.save()
"""
_COUNT_LOGINS = """
from vestibule.db.events import EventFilter, fetch_page
print(len(fetch_page(EventFilter(kind="login"), 1000).events))
"""
#: What the output has where a process crashed.
_CRASHES = (
    "Fatal Python error",
    "ended unexpectedly",
    "Unexpected exit",
    "Traceback",
    "panicked at",
)


class QuietServer:
    """A server of one mechanism, with one user, between two bursts."""

    def __init__(
        self,
        folder: Path,
        mechanism: str,
        url: str,
        workers: int,
        program: str | None = None,
    ) -> None:
        """Start the server with one admin on the database at `url`.

        `program` is run in place of the usual one.
        """
        self._name = f"{mechanism}, {url.partition(':')[0]}, {workers}"
        self._has_sessions = mechanism.startswith("session")
        self.server = Server(
            folder,
            AUTH_TYPE=mechanism,
            SESSION_NAME=COOKIE,
            WEB_PAGES="on",
            DATABASE_URL=url,
            WORKERS=str(workers),
            BLOCKING_THREADS="16",
            SESSION_DURATION="86400",
        )
        if program is not None:
            self.server.program = ("-c", program)
        self.server.run(_ADD_ADMIN, EMAIL, PASSWORD)
        self.server.start()
        self._workers = sorted(self.server.workers())
        self._keeps_threads = program is None
        self._threads = 0
        self._logins = 0
        self._held = ExitStack()
        self._credentials = self._signed_in()
        self._me = {"auth": 403}.get(mechanism, 200)
        self._last = time.monotonic()

    def __repr__(self) -> str:
        """Return the mechanism, the database and the number of workers."""
        return self._name

    def busy(self) -> None:
        """Send bursts of all kinds of requests, and read their answers."""
        for size in BURSTS:
            self._burst(size)
        if self._has_sessions:
            self._log_in(3)
        self._threads = self._count_threads()
        self._last = time.monotonic()

    def hold_slow_clients(self) -> None:
        """Open connections that stay open while nothing is sent on them.

        One has sent nothing, one half of its head, one half of its body.
        """
        for sent in (
            b"",
            b"GET /sign-in HTTP/1.1\r\nHo",
            (
                b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\n"
                b"Content-Length: 99\r\n\r\n"
                b"email=" % (LOGIN, FORM)
            ),
        ):
            wire = socket.create_connection(("127.0.0.1", self.server.port))
            self._held.enter_context(wire)
            wire.sendall(sent)

    def rest(self, seconds: float) -> None:
        """Wait until the last request is so many seconds ago."""
        time.sleep(max(0.0, self._last + seconds - time.monotonic()))

    def faults(self) -> list[str]:
        """Return what is not as it was before the server was left alone.

        Call it after a rest that is longer than short-lived threads live.
        """
        found = [
            line
            for line in list(self.server.output)
            if any(crash in line for crash in _CRASHES)
        ]
        workers = sorted(self.server.workers())
        if workers != self._workers:
            found.append(f"workers were {self._workers}, are {workers}")
        threads = self._count_threads()
        if (threads == self._threads) is not self._keeps_threads:
            found.append(f"{self._threads} threads are {threads} now")
        with begin(
            self.server.port, "GET", b"/api/v1/users/me", self._credentials
        ) as wire:
            status = finish(wire, "GET").status
        if status != self._me:
            found.append(f"users/me is answered with {status}")
        return [f"{self!r}: {each}" for each in found]

    def end(self) -> list[str]:
        """End the server by SIGTERM; return what was wrong or lost."""
        self._held.close()
        if self._has_sessions:
            self._log_in(1)
        code = self.server.stop()
        found = [
            line
            for line in self.server.output
            if any(crash in line for crash in _CRASHES)
        ]
        if code != 0:
            found.append(f"exit code {code}")
        stored = int(self.server.run(_COUNT_LOGINS))
        if stored != self._logins:
            found.append(f"of {self._logins} logins {stored} are events")
        return [f"{self!r}: {each}" for each in found]

    def close(self) -> None:
        """Close what is open, and end the server if it still runs."""
        self._held.close()
        if self.server.process.poll() is None:
            self.server.stop()

    def _count_threads(self) -> int:
        """Return the number of granian's threads in all workers.

        A thread has the name of the one that started it.
        """
        return sum(
            name.read_text() == "tokio-rt-worker\n"
            for worker in self.server.workers()
            for name in Path(f"/proc/{worker}/task").glob("*/comm")
        )

    def _burst(self, size: int) -> None:
        """Send so many requests before the first answer is read."""
        targets = (
            b"/sign-in",
            b"/api/v1/users/me",
            VERIFY,
            b"/admin/events/export?format=csv",
            b"/",
            b"/api/v1/users",
        )
        with ExitStack() as opened:
            wires = [
                opened.enter_context(
                    begin(
                        self.server.port,
                        "GET",
                        targets[each % len(targets)],
                        self._credentials,
                    )
                )
                for each in range(size)
            ]
            statuses = {finish(wire, "GET").status for wire in wires}
        # 503 is the answer where more passwords come than can be hashed.
        assert max(statuses - {503}) < 500, (self, statuses)

    def _log_in(self, times: int) -> bytes:
        """Log in so often at the same moment; return one session's cookie."""
        form = urlencode({"email": EMAIL, "password": PASSWORD}).encode()
        with ExitStack() as opened:
            wires = [
                opened.enter_context(
                    begin(self.server.port, "POST", LOGIN, [FORM], form)
                )
                for _ in range(times)
            ]
            answers = [finish(wire, "POST") for wire in wires]
        assert {each.status for each in answers} == {200}, self
        self._logins += times
        return answers[0].headers["set-cookie"].partition(";")[0].encode()

    def _signed_in(self) -> list[bytes]:
        """Return the headers by which the user is known."""
        if self._has_sessions:
            return [b"Cookie: " + self._log_in(1)]
        pair = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode())
        return [b"Authorization: Basic " + pair]

#!/usr/bin/env python3
"""A stand-in for a range service that lists stolen passwords."""

import threading
import time
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

#: What it lists, and what makes it slow or broken when it is asked.
STOLEN = "stolen violet umbrella"
SLOW = "slow violet umbrella"
BROKEN = "broken violet umbrella"


def digits_of(password: str) -> str:
    """Return the hash by which a password is listed."""
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class _Answering(BaseHTTPRequestHandler):
    """Answers one question: the rest of all hashes that begin so."""

    def do_GET(self) -> None:
        """List what is stolen; some questions make it stumble."""
        asked = self.path.lstrip("/")
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        if asked == digits_of(SLOW)[:5]:
            time.sleep(2)
        self.send_response(500 if asked == digits_of(BROKEN)[:5] else 200)
        self.end_headers()
        digits = digits_of(STOLEN)
        if asked == digits[:5]:
            self.wfile.write(f"{'0' * 35}:2\r\n{digits[5:]}:41\r\n".encode())

    def log_message(self, *told: Any) -> None:
        """Say nothing."""


class BreachList:
    """The service on a free port, with all that it was asked."""

    def __enter__(self) -> "BreachList":
        """Begin to listen."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
        self._server.daemon_threads = True
        self.asked: list[str] = []
        self._server.asked = self.asked  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

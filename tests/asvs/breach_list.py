#!/usr/bin/env python3
"""A stand-in for a range service that lists stolen passwords."""

import threading
import time
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

#: Passwords: one that it lists, and two that make it slow or fail.
STOLEN = "stolen violet umbrella"
SLOW = "slow violet umbrella"
BROKEN = "broken violet umbrella"


def digits_of(password: str) -> str:
    """Return the SHA-1 hash, in hexadecimal digits, of a password."""
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class _RangeHandler(BaseHTTPRequestHandler):
    """Responds with the listed hashes that have the requested prefix."""

    def do_GET(self) -> None:
        """List the matching hashes; two prefixes make it slow or fail."""
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
        """Log nothing."""


class BreachList:
    """The service on a free port, with all requested prefixes."""

    def __enter__(self) -> "BreachList":
        """Start listening."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _RangeHandler)
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

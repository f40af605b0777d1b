#!/usr/bin/env python3
"""A range service of breached passwords, on loopback, good or bad."""

import threading
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RangeService:
    """Lists one password, until it is told to answer something else."""

    def __init__(self, stolen: str, count: int = 7) -> None:
        """Prepare to list `stolen`, seen `count` times."""
        digest = sha1(stolen.encode(), usedforsecurity=False).hexdigest()
        self.digest = digest.upper()
        #: The paths that were asked for.
        self.asked: list[str] = []
        self.status = 200
        self.body = (
            f"{'0' * 35}:3\r\n{self.digest[5:]}:{count}\r\n{'F' * 35}:0\r\n"
        ).encode()
        #: Set when an answer may be sent; it is, from the beginning.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/range"

    def __enter__(self) -> "RangeService":
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """End it, and those who wait for it."""
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers for this service."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            """Answers as the service is told to."""

            def do_GET(self) -> None:
                """Note the question, and answer when it is time."""
                service.asked.append(self.path)
                service.may_answer.wait(10)
                try:
                    self.send_response(service.status)
                    self.send_header("Content-Length", str(len(service.body)))
                    self.end_headers()
                    self.wfile.write(service.body)
                except OSError:
                    # Who asked did not wait for it.
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing on standard error."""

        return Handler

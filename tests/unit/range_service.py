#!/usr/bin/env python3
"""A range service of breached passwords, on loopback, good or bad."""

import threading
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RangeService:
    """A service that lists one password, or gives a set response."""

    def __init__(self, stolen: str, count: int = 7) -> None:
        """Prepare to list `stolen`, seen `count` times."""
        digest = sha1(stolen.encode(), usedforsecurity=False).hexdigest()
        self.digest = digest.upper()
        #: The paths that were requested.
        self.asked: list[str] = []
        self.status = 200
        self.body = (
            f"{'0' * 35}:3\r\n{self.digest[5:]}:{count}\r\n{'F' * 35}:0\r\n"
        ).encode()
        #: Set while responses may be sent; set at the start.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/range"

    def __enter__(self) -> "RangeService":
        """Start the service."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """End the service and the requests that wait for it."""
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the handler class of this service."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            """Gives the response that is set."""

            def do_GET(self) -> None:
                """Note the path, and respond when the test allows it."""
                service.asked.append(self.path)
                service.may_answer.wait(10)
                try:
                    self.send_response(service.status)
                    self.send_header("Content-Length", str(len(service.body)))
                    self.end_headers()
                    self.wfile.write(service.body)
                except OSError:
                    # The client has closed the connection.
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Log no request."""

        return Handler

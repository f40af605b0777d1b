#!/usr/bin/env python3
"""A server with nothing but one Flask route: what Flask itself costs.

`python -m bench.bare N` starts granian as `vestibule.server` does, and
answers with bodies of `N` bytes.
"""

import sys
from typing import Any

from flask import Flask, Response
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from vestibule import settings
from vestibule.server import Announcement


def bare_app(length: int) -> Flask:
    """Return a plain application whose answers have `length` bytes."""
    app = Flask(__name__, static_folder=None)
    body = b"." * length

    @app.get("/api/v1/users/me")
    def me() -> Response:
        """Answer without asking who asks."""
        return Response(body, mimetype="application/json")

    @app.get("/api/v1/status")
    def status() -> Response:
        """Answer those who wait for the start."""
        return Response(body, mimetype="application/json")

    return app


def load(target: str) -> Any:
    """Return the application that `target` describes, in each worker."""
    return bare_app(int(target))


def main() -> None:
    """Serve until a signal ends it."""
    host, port = settings.API_HOST.read(), settings.API_PORT.read()
    server = Granian(
        sys.argv[1],
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=1,
        blocking_threads=settings.BLOCKING_THREADS.read(),
        log_level=LogLevels.error,
    )
    Announcement(host, port).start()
    server.serve(target_loader=load)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Servers to compare the service with: parts of it, and bare Flask.

`python -m bench.bare KIND` starts granian as the service does. `flask:N`
serves one Flask route with a body of `N` bytes, `constant:N` the same body
without Flask, `ungated:0` the service without forward authentication.
"""

import sys
from functools import partial
from importlib import import_module
from typing import Any, cast

from flask import Flask, Response
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from vestibule.core import settings
from vestibule.core.request_headers import is_tls
from vestibule.http.middleware import ResponseHeaders, add_headers
from vestibule.server.granian import Announcement


def bare_app(length: int) -> Flask:
    """Return a plain application whose answers have `length` bytes."""
    app = Flask(__name__, static_folder=None)
    body = b"." * length

    @app.get("/api/v1/users/me")
    def me() -> Response:
        """Answer without authentication."""
        return Response(body, mimetype="application/json")

    @app.get("/api/v1/status")
    def status() -> Response:
        """Answer the program that waits for the start."""
        return Response(body, mimetype="application/json")

    return app


def constant_app(length: int) -> Any:
    """Return a WSGI function with one answer of `length` bytes."""
    body = b"." * length
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(length)),
    ]

    def answering(environ: Any, start_response: Any) -> list[bytes]:
        """Return the one response."""
        start_response("200 OK", headers)
        return [body]

    return answering


def ungated_app(_: int) -> Flask:
    """Return the service without its WSGI middleware."""
    app = import_module("vestibule.api.app").app
    app.wsgi_app = add_headers(
        partial(Flask.wsgi_app, app), ResponseHeaders(is_tls)
    )
    return cast(Flask, app)


KINDS = {"flask": bare_app, "constant": constant_app, "ungated": ungated_app}


def load(target: str) -> Any:
    """Return the application that `target` describes, in each worker."""
    kind, _, length = target.partition(":")
    return KINDS[kind](int(length))


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

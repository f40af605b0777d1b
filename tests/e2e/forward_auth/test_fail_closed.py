#!/usr/bin/env python3
"""Ended sessions and failures of Vestibule: the proxy refuses requests."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.e2e.forward_auth.conftest import Deploy
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    FETCH,
    PAGE,
    PASSWORD,
    Deployment,
    reached,
)
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, LOGOUT, Server


def is_refused(deployment: Deployment, cookie: str) -> bool:
    """Return True if page, data and websocket are refused."""
    page = deployment.get("/page", PAGE, cookie)
    data = deployment.get("/data", FETCH, cookie)
    assert not reached(page) and not reached(data)
    statuses = (
        page.status_code,
        data.status_code,
        deployment.websocket_status(cookie),
    )
    return statuses == (302, 401, 401)


def test_logout_through_proxy_ends_session(deployment: Deployment) -> None:
    """The next request is refused, also on an open connection."""
    cookie = deployment.sign_in()
    other = deployment.sign_in()
    for _ in range(3):
        assert deployment.get("/page", PAGE, cookie).status_code == 203
    assert deployment.request("DELETE", LOGOUT, cookie).status_code == 200
    assert is_refused(deployment, cookie)
    assert deployment.get("/page", PAGE, other).status_code == 203


def started(folder: Path, **settings: str) -> Server:
    """Start a server with one user for a single test."""
    folder.mkdir()
    server = Server(
        folder, SESSION_NAME=COOKIE, TRUSTED_PROXIES="127.0.0.1", **settings
    ).start()
    server.run(ADD_USER, EMAIL, PASSWORD)
    return server


def fails_for_all(deployment: Deployment, cookie: str) -> bool:
    """Return True if every request gets a server error."""
    for headers in (PAGE, FETCH, {}):
        for session in (cookie, None):
            answer = deployment.get("/page", headers, session)
            assert not reached(answer)
            assert answer.status_code >= 500
    posted = deployment.request("POST", "/form", cookie, data=b"x" * 10_000)
    assert not reached(posted)
    return (
        posted.status_code >= 500
        and deployment.websocket_status(cookie) >= 500
    )


def test_requests_fail_while_vestibule_is_down(
    deploy: Deploy, tmp_path: Path
) -> None:
    """The proxy fails closed and recovers when Vestibule is back."""
    server = started(tmp_path / "v", AUTH_TYPE="session_db_auth")
    try:
        deployment = deploy(server)
        cookie = deployment.sign_in()
        assert deployment.get("/page", PAGE, cookie).status_code == 203
        server.kill()
        assert fails_for_all(deployment, cookie)
        server.start()
        assert wait_until(
            15,
            lambda: deployment.get("/page", PAGE, cookie).status_code == 203,
        )
    finally:
        server.stop()


class _FixedStatus(BaseHTTPRequestHandler):
    """Responds to each request with the server's status."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Count a connection before its first request."""
        self.server.connections += 1  # type: ignore[attr-defined]
        super().setup()

    def do_GET(self) -> None:
        """Send a response that is valid except for its status."""
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Remote-User", "some-user")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *told: object) -> None:
        """Log nothing."""


@contextmanager
def fixed_status(status: int) -> Iterator[ThreadingHTTPServer]:
    """Run a server that responds to everything with one status."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _FixedStatus) as server:
        server.status = status  # type: ignore[attr-defined]
        server.connections = 0  # type: ignore[attr-defined]
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def as_vestibule(server: ThreadingHTTPServer, folder: Path) -> Server:
    """Return an unstarted Vestibule whose port `server` occupies."""
    return Server(folder, API_PORT=str(server.server_address[1]))


def test_only_status_200_of_verify_admits(
    deploy: Deploy, tmp_path: Path
) -> None:
    """The proxy refuses with any other status but 2xx, and does not open a
    connection for each request.
    """
    with fixed_status(200) as server:
        deployment = deploy(as_vestibule(server, tmp_path))
        for _ in range(20):
            assert deployment.get("/page", PAGE).status_code == 203
        assert server.connections < 5  # type: ignore[attr-defined]
        for status in (301, 302, 304, 400, 403, 404, 405, 429, 500, 503):
            server.status = status  # type: ignore[attr-defined]
            for headers in (PAGE, FETCH):
                answer = deployment.get("/page", headers, "anything")
                assert answer.status_code not in (200, 203), status
                assert not reached(answer)


def test_unresponsive_vestibule_times_out(
    deploy: Deploy, tmp_path: Path
) -> None:
    """A Vestibule that accepts connections without responding admits no
    request.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        deployment = deploy(Server(tmp_path, API_PORT=port), **{" 10s": " 1s"})
        answer = deployment.get("/page", PAGE, "anything")
        assert answer.status_code >= 500
        assert not reached(answer)

#!/usr/bin/env python3
"""What ends: sessions, at the next request; Vestibule, and nothing opens."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.forward_auth.conftest import Guard
from tests.e2e.forward_auth.gate import (
    EMAIL,
    FETCH,
    LOGOUT,
    PAGE,
    PASSWORD,
    SESSIONS,
    Gate,
    reached,
)
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, Server


def is_out(gate: Gate, cookie: str) -> bool:
    """Tell whether a cookie opens no page, no data and no websocket."""
    page = gate.get("/page", PAGE, cookie)
    data = gate.get("/data", FETCH, cookie)
    assert not reached(page) and not reached(data)
    statuses = page.status_code, data.status_code, gate.refusal(cookie)
    return statuses == (302, 401, 401)


def test_logout_through_the_gate(gate: Gate) -> None:
    """The next request is refused, on a connection that was open before."""
    cookie = gate.sign_in()
    other = gate.sign_in()
    for _ in range(3):
        assert gate.get("/page", PAGE, cookie).status_code == 203
    assert gate.request("DELETE", LOGOUT, cookie).status_code == 200
    assert is_out(gate, cookie)
    assert gate.get("/page", PAGE, other).status_code == 203


def test_a_session_ended_elsewhere(gate: Gate) -> None:
    """Ended on another device, without the proxy, it opens nothing."""
    cookie, other = gate.sign_in(), gate.sign_in()
    assert gate.get("/page", PAGE, cookie).status_code == 203
    ended = gate.vestibule.request("DELETE", SESSIONS, other)
    assert ended.json()["ended"] >= 1
    assert is_out(gate, cookie)
    assert gate.get("/page", PAGE, other).status_code == 203


def started(folder: Path, **settings: str) -> Server:
    """Start a server of a test's own with a user."""
    folder.mkdir()
    server = Server(
        folder, SESSION_NAME=COOKIE, TRUSTED_PROXIES="127.0.0.1", **settings
    ).start()
    server.run(ADD_USER, EMAIL, PASSWORD)
    return server


def refuses_all(gate: Gate, cookie: str) -> bool:
    """Tell whether the gate says that it is broken, whoever asks."""
    for headers in (PAGE, FETCH, {}):
        for session in (cookie, None):
            answer = gate.get("/page", headers, session)
            assert not reached(answer)
            assert answer.status_code >= 500
    posted = gate.request("POST", "/form", cookie, data=b"x" * 10_000)
    assert not reached(posted)
    return posted.status_code >= 500 and gate.refusal(cookie) >= 500


def test_nothing_opens_while_vestibule_is_down(
    guard: Guard, tmp_path: Path
) -> None:
    """A gate that can ask nobody is shut; it opens when it can again."""
    server = started(tmp_path / "v", AUTH_TYPE="session_db_auth")
    try:
        gate = guard(server)
        cookie = gate.sign_in()
        assert gate.get("/page", PAGE, cookie).status_code == 203
        server.kill()
        assert refuses_all(gate, cookie)
        server.start()
        assert wait_until(
            15,
            lambda: gate.get("/page", PAGE, cookie).status_code == 203,
        )
    finally:
        server.stop()


def test_nothing_opens_without_a_mechanism(
    guard: Guard, tmp_path: Path
) -> None:
    """A Vestibule that authenticates nobody lets nobody in."""
    server = started(tmp_path / "v")
    try:
        gate = guard(server)
        for headers in (PAGE, FETCH, {"Remote-User": "admin"}):
            answer = gate.get("/page", headers, "anything")
            assert answer.status_code == 401
            assert not reached(answer)
    finally:
        server.stop()


class _Fixed(BaseHTTPRequestHandler):
    """Answers each request by the status that its server has."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Count a connection before its first request."""
        self.server.connections += 1  # type: ignore[attr-defined]
        super().setup()

    def do_GET(self) -> None:
        """Answer with everything that a good answer has but the status."""
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Remote-User", "somebody")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *told: object) -> None:
        """Say nothing."""


@contextmanager
def answering(status: int) -> Iterator[ThreadingHTTPServer]:
    """Run what is no Vestibule and answers everything by one status."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Fixed) as server:
        server.status = status  # type: ignore[attr-defined]
        server.connections = 0  # type: ignore[attr-defined]
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def in_place_of(server: ThreadingHTTPServer, folder: Path) -> Server:
    """Return a Vestibule that is not started: another has its place."""
    return Server(folder, API_PORT=str(server.server_address[1]))


@pytest.mark.parametrize(
    "status", [301, 302, 304, 400, 403, 404, 405, 429, 500, 503]
)
def test_only_a_good_answer_opens(
    guard: Guard, tmp_path: Path, status: int
) -> None:
    """Whatever stands in Vestibule's place, an error of it opens nothing."""
    with answering(status) as server:
        gate = guard(in_place_of(server, tmp_path))
        for headers in (PAGE, FETCH):
            answer = gate.get("/page", headers, "anything")
            assert answer.status_code not in (200, 203)
            assert not reached(answer)


def test_connections_are_used_again(guard: Guard, tmp_path: Path) -> None:
    """A proxy does not connect anew for each question."""
    with answering(200) as server:
        gate = guard(in_place_of(server, tmp_path))
        for _ in range(20):
            assert gate.get("/page", PAGE).status_code == 203
        assert server.connections < 5  # type: ignore[attr-defined]


def test_nobody_waits_for_ever(guard: Guard, tmp_path: Path) -> None:
    """A Vestibule that takes questions and answers none opens nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        gate = guard(Server(tmp_path, API_PORT=port), **{" 10s": " 1s"})
        answer = gate.get("/page", PAGE, "anything")
        assert answer.status_code >= 500
        assert not reached(answer)

#!/usr/bin/env python3
"""Slow and idle clients do not hold up others."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines
from tests.e2e.server.waiting import is_serving, wait_until
from tests.e2e.server.wire import FORM, finish
from tests.serving import DB_SESSIONS, LOGIN, USERS, VERIFY, Server

THREADS = 8
#: Seconds of `BODY_TIMEOUT` in these tests.
BODY_SECONDS = 2
#: Seconds in which a request that needs no thread must be answered.
HEALTH_SECONDS = 0.1


def begin_slowly(port: int, path: str, *headers: bytes) -> socket.socket:
    """Send the head of a request and seven bytes of its body."""
    wire = socket.create_connection(("127.0.0.1", port), timeout=30)
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: 127.0.0.1", *headers]
    wire.sendall(b"\r\n".join(lines) + b"\r\n\r\nemail=a")
    return wire


@contextmanager
def slow_bodies(server: Server, number: int) -> Iterator[list[socket.socket]]:
    """Let so many clients wait in the middle of their bodies."""
    head = FORM, b"Content-Length: 1000"
    with ExitStack() as wires:
        yield [
            wires.enter_context(begin_slowly(server.port, LOGIN, *head))
            for _ in range(number)
        ]


def is_healthy_at_once(server: Server) -> bool:
    """Return True if the fastest of some health checks is quick enough.

    Other tests run on the same cores, so one may be slow by chance.
    """

    def check() -> float:
        """Return the seconds of a check on a connection of its own."""
        begun = time.monotonic()
        assert server.request("GET", "/healthz").status_code == 200
        return time.monotonic() - begun

    return min(check() for _ in range(10)) < HEALTH_SECONDS


@pytest.fixture
def slow(serve: Serve) -> Server:
    """Run a server with few threads, a short deadline and one user."""
    server = serve(
        **DB_SESSIONS,
        BLOCKING_THREADS=str(THREADS),
        BODY_TIMEOUT=str(BODY_SECONDS),
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    return server


def test_half_of_threads_wait_for_bodies_and_the_rest_get_503(
    slow: Server,
) -> None:
    """Verify is answered meanwhile; late bodies get 408 and the end."""
    session = slow.login(EMAIL, PASSWORD)
    with slow_bodies(slow, 3 * THREADS) as wires:
        assert is_healthy_at_once(slow)
        for _ in range(20):
            verify = slow.request("GET", VERIFY, cookie=session)
            assert verify.status_code == 200
        answers = [finish(wire, "POST") for wire in wires]
        for wire in wires:
            assert wire.recv(1) == b""
    busy = [answer for answer in answers if answer.status == 503]
    late = [answer for answer in answers if answer.status == 408]
    assert len(busy) + len(late) == len(answers)
    # Those that came in the first moments may have taken a free turn.
    assert THREADS // 2 <= len(late) < THREADS
    assert all(int(one.headers["retry-after"]) >= 1 for one in busy)
    slow.login(EMAIL, PASSWORD)
    assert slow.stop() == 0


@pytest.mark.parametrize(
    "headers",
    [
        [FORM, b"Content-Length: 1000", b"Expect: 100-continue"],
        [b"Content-Type: application/json", b"Content-Length: 7000"],
        [
            b"Content-Type: multipart/form-data; boundary=x",
            b"Content-Length: 1000",
        ],
    ],
    ids=["expect", "json", "multipart"],
)
def test_body_of_any_kind_has_deadline(
    serve: Serve, headers: list[bytes]
) -> None:
    """A client that sends no more of its body is cut off."""
    path = USERS if b"json" in headers[0] else LOGIN
    mechanism = {} if path == USERS else DB_SESSIONS
    server = serve(BODY_TIMEOUT=str(BODY_SECONDS), **mechanism)
    with begin_slowly(server.port, path, *headers) as wire:
        answered = b""
        while piece := wire.recv(4096):
            answered += piece
    assert b" 408 Request Timeout\r\n" in answered or b" 400 " in answered


def test_trickled_body_has_deadline(slow: Server) -> None:
    """A byte now and then does not extend the time."""
    head = FORM, b"Content-Length: 1000"
    with begin_slowly(slow.port, LOGIN, *head) as wire:
        wire.settimeout(0.1)
        begun = time.monotonic()
        answered = b""
        while b"\r\n\r\n" not in answered:
            assert time.monotonic() - begun < 5 * BODY_SECONDS
            try:
                wire.sendall(b"x")
                answered += wire.recv(4096)
            except TimeoutError:
                continue
    assert answered.startswith(b"HTTP/1.1 408 ")


def test_idle_connection_is_not_cut_off_for_slow_neighbour(
    slow: Server,
) -> None:
    """A client of the same address keeps its connection."""
    with requests.Session() as idle, slow_bodies(slow, 1) as wires:
        adapter = HTTPAdapter()
        idle.mount("http://", adapter)
        assert idle.get(f"{slow.url}/api/v1/status").status_code == 200
        assert finish(wires[0], "POST").status == 408
        assert idle.get(f"{slow.url}/api/v1/status").status_code == 200
        [pool] = adapter.poolmanager.pools._container.values()
        assert pool.num_connections == 1


def test_idle_connection_stays_open_for_keepalive_timeout(
    serve: Serve,
) -> None:
    """It is closed afterwards, and so is one that sends no whole head."""
    server = serve(KEEPALIVE_TIMEOUT="2")
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as idle,
        socket.create_connection(("127.0.0.1", server.port), 10) as slow_head,
    ):
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        slow_head.sendall(b"GET /healthz HTTP/1.1\r\nHos")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()
        while idle.recv(4096):
            pass
        assert time.monotonic() - begun > 1
        assert slow_head.recv(4096) == b"" or slow_head.recv(4096) == b""


def test_idle_connections_leave_descriptors_for_others(
    tmp_path: Path,
) -> None:
    """Under `ulimit -n 64` the quietest are closed, and the log says so."""

    def limit() -> None:
        """Allow few open files."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    server = Server(tmp_path, **DB_SESSIONS, BLOCKING_THREADS="4")
    server.start(preexec=limit)
    server.run(ADD_USER, EMAIL, PASSWORD)
    with ExitStack() as wires:
        for _ in range(100):
            wires.enter_context(
                socket.create_connection(("127.0.0.1", server.port), 10)
            )
        assert wait_until(30, lambda: is_serving(server))
        server.login(EMAIL, PASSWORD)
    assert any("(ulimit -n) is 64" in line for line in server.output)
    assert wait_until(
        5,
        lambda: any("connections are open" in line for line in server.output),
    )
    assert server.stop() == 0
    assert defect_lines(server) == []

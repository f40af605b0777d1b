#!/usr/bin/env python3
"""The connections of a process: seen, counted and cut off."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from vestibule.core import clock
from vestibule.http.body import BodyReads
from vestibule.server import connections
from vestibule.server.connections import Connections, is_open

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the test set the monotonic clock: the only item of a list."""
    times = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: times[0])
    return times


def port_of(server: socket.socket) -> int:
    """Return the port that `server` listens on."""
    return int(server.getsockname()[1])


def connect(server: socket.socket, stack: ExitStack) -> Pair:
    """Return our end and the client's end of a new connection."""
    client = socket.create_connection(server.getsockname(), 5)
    ours, _ = server.accept()
    ours.settimeout(5)
    return stack.enter_context(ours), stack.enter_context(client)


def is_cut(ours: socket.socket) -> bool:
    """Return True if nothing more can be received."""
    ours.setblocking(False)
    try:
        return ours.recv(1000) == b"" or ours.recv(1) == b""
    except BlockingIOError:
        return False


def test_port_is_open_while_a_socket_uses_it() -> None:
    """Both a listening socket and a connection count."""
    with ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = port_of(server)
            assert is_open(port)
            ours, client = connect(server, stack)
        assert is_open(port)
        ours.close()
        client.close()
        assert not is_open(port)


def test_late_body_is_cut_off_and_other_connections_stay(
    listener: socket.socket,
    now: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that got a response meanwhile is not the late one."""
    reads = BodyReads()
    monkeypatch.setattr(connections, "body_reads", reads)
    watch = Connections(port_of(listener), 1000)
    with ExitStack() as stack:
        late, late_client = connect(listener, stack)
        served, served_client = connect(listener, stack)
        for client in (late_client, served_client):
            client.sendall(b"POST")
        stack.enter_context(reads.reading(105, "127.0.0.1"))
        now[0] = 102
        watch.check()
        served.sendall(b"HTTP/1.1 200 OK")
        now[0] = 104.9
        watch.check()
        assert not is_cut(late)
        now[0] = 106
        watch.check()
        assert is_cut(late)
        assert not is_cut(served)


def test_body_of_other_address_is_not_cut_off(
    listener: socket.socket,
    now: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The late client has another address."""
    reads = BodyReads()
    monkeypatch.setattr(connections, "body_reads", reads)
    watch = Connections(port_of(listener), 1000)
    with ExitStack() as stack:
        ours, client = connect(listener, stack)
        client.sendall(b"POST")
        stack.enter_context(reads.reading(101, "192.0.2.1"))
        for now[0] in (102, 104, 106):
            watch.check()
        assert not is_cut(ours)


def test_unfinished_requests_are_closed_and_responses_go_on(
    listener: socket.socket,
) -> None:
    """A response is sent after the request has arrived."""
    watch = Connections(port_of(listener), 1000)
    with ExitStack() as stack:
        served, served_client = connect(listener, stack)
        begun, begun_client = connect(listener, stack)
        again, again_client = connect(listener, stack)
        again.sendall(b"HTTP/1.1 200 OK")
        # The kernel counts the age of both in milliseconds.
        time.sleep(0.02)
        for client in (served_client, begun_client, again_client):
            client.sendall(b"GET /")
        time.sleep(0.02)
        served.sendall(b"HTTP/1.1 200 OK")
        watch.close_unfinished()
        assert is_cut(begun)
        assert is_cut(again)
        assert not is_cut(served)


def test_quietest_connections_are_closed_if_too_many_are_open(
    listener: socket.socket,
    now: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Others stay open, and the log says so once."""
    monkeypatch.setattr(connections, "QUIET_SECONDS", -1)
    watch = Connections(port_of(listener), 5)
    with ExitStack() as stack:
        pairs = [connect(listener, stack) for _ in range(5)]
        watch.check()
        now[0] += 5
        watch.check()
        assert sum(is_cut(ours) for ours, _ in pairs) == 3
    assert caplog.text.count("closing quiet ones") == 1


def test_few_descriptors_bound_the_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit is raised as far as possible; a low one is logged."""
    limits = [(64, 64)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(
        resource, "setrlimit", lambda _, pair: limits.append(pair)
    )
    assert connections.allow_connections() == 8
    assert "(ulimit -n) is 64: at most 8 connections" in caplog.text
    limits.append((1024, 1_000_000))
    assert connections.allow_connections() == connections.MAX_CONNECTIONS
    limits.append((-1, -1))
    assert connections.allow_connections() == connections.MAX_CONNECTIONS

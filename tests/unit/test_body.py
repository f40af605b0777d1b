#!/usr/bin/env python3
"""The deadline of a body, and the threads that wait for bodies."""

import socket
import threading
from contextlib import ExitStack
from typing import Any

import pytest
from werkzeug.exceptions import RequestTimeout

from vestibule.core import clock
from vestibule.core.errors import ServiceBusy
from vestibule.http import body
from vestibule.http.body import BodyReads, TimedBody


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the test set the monotonic clock: the only item of a list."""
    time = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: time[0])
    return time


class Source:
    """An input that lets the test act while it is read."""

    def __init__(self, act: Any = lambda: None) -> None:
        """Call `act` at each read."""
        self._act = act

    def read(self, *size: int) -> bytes:
        """Return a byte."""
        self._act()
        return b"x"


def test_body_in_time_is_returned(now: list[float]) -> None:
    """Reads count from the first one to the deadline."""
    source = TimedBody({"wsgi.input": Source()})
    now[0] += 1000
    assert source.read(1) == source.read() == b"x"


def test_late_body_is_request_timeout(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several reads have the time together."""
    monkeypatch.setenv("BODY_TIMEOUT", "10")

    def pass_time() -> None:
        """Let six seconds pass."""
        now[0] += 6

    source = TimedBody({"wsgi.input": Source(pass_time)})
    assert source.read(1) == b"x"
    with pytest.raises(RequestTimeout):
        source.read(1)


def test_more_than_half_of_threads_do_not_wait(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While all reads are slow, another one is refused at once."""
    monkeypatch.setenv("BLOCKING_THREADS", "8")
    reads = BodyReads()
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(reads.reading(200, "192.0.2.1"))
        assert reads.slow() == []
        now[0] += 2
        with pytest.raises(ServiceBusy), reads.reading(200, None):
            pytest.fail("a fifth thread waits")
        assert [read.peer for read in reads.slow()] == ["192.0.2.1"] * 4
    with reads.reading(200, None):
        assert reads.slow() == []


def test_quick_reads_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A burst of bodies that have arrived is not refused."""
    monkeypatch.setenv("BLOCKING_THREADS", "4")
    monkeypatch.setattr(body, "SLOW_READ_SECONDS", 30)
    reads, release = BodyReads(), threading.Event()
    inside = threading.Barrier(3)

    def read() -> None:
        """Hold a turn until released."""
        with reads.reading(1e9, None):
            inside.wait(30)
            release.wait(30)

    holders = [threading.Thread(target=read) for _ in range(2)]
    for holder in holders:
        holder.start()
    inside.wait(30)
    threading.Timer(0.1, release.set).start()
    with reads.reading(1e9, None):
        assert release.is_set()
    for holder in holders:
        holder.join(30)


@pytest.mark.parametrize("key", ["gunicorn.socket", "werkzeug.socket"])
def test_client_of_other_server_is_cut_off(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server passes the socket; a response can still be sent."""
    monkeypatch.setenv("BODY_TIMEOUT", "1")
    ours, client = socket.socketpair()
    with ours, client, ours.makefile("rb") as file:
        source = TimedBody({"wsgi.input": file, key: ours})
        client.sendall(b"email=a")
        with pytest.raises(RequestTimeout):
            source.read(1000)
        ours.sendall(b"late")
        assert client.recv(9) == b"late"

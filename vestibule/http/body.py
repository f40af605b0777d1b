#!/usr/bin/env python3
"""The body of a request: how long, how late and in how many threads.

A WSGI application reads a body in a thread, and the client decides how
fast the body arrives. So each body has a deadline, and only some of the
threads may wait for bodies.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout
from werkzeug.wsgi import LimitedStream

from vestibule.core import clock, settings
from vestibule.core.errors import ServiceBusy

#: Seconds after which a read of a body counts as slow. While no read is
#: slow, a request waits as long for its turn to read.
SLOW_READ_SECONDS = 0.1
#: The keys by which servers other than granian pass the client's socket.
_SOCKET_KEYS = ("gunicorn.socket", "werkzeug.socket")


@dataclass(frozen=True, eq=False)
class BodyRead:
    """A read of a body: its start, its deadline, and its peer.

    The times are of the monotonic clock, in seconds. `peer` is the address
    of the connection's other end.
    """

    began: float
    deadline: float
    peer: str | None


class BodyReads:
    """The threads of this process that wait for a body.

    They are at most half of the threads, so slow clients cannot hold up
    the requests without a body, such as those of forward authentication.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._changed = threading.Condition()
        self._reads: set[BodyRead] = set()

    @contextmanager
    def reading(self, deadline: float, peer: str | None) -> Iterator[None]:
        """Count this thread within the block.

        Raise `ServiceBusy` if half of the threads wait for bodies already.
        """
        read = BodyRead(clock.monotonic(), deadline, peer)
        with self._changed:
            self._await_turn(read.began)
            self._reads.add(read)
        try:
            yield
        finally:
            with self._changed:
                self._reads.discard(read)
                self._changed.notify()

    def _await_turn(self, began: float) -> None:
        """Wait a moment for other reads if all of them are quick."""
        most = settings.BLOCKING_THREADS.read() // 2
        while len(self._reads) >= most:
            now = clock.monotonic()
            left = began + SLOW_READ_SECONDS - now
            slow = now - SLOW_READ_SECONDS
            if left <= 0 or all(read.began < slow for read in self._reads):
                raise ServiceBusy("too many requests wait for their bodies")
            self._changed.wait(left)

    def slow(self) -> list[BodyRead]:
        """Return the reads that have lasted for more than a second."""
        if not self._reads:
            return []
        began = clock.monotonic() - 1
        with self._changed:
            return [read for read in self._reads if read.began < began]


#: The reads of this process.
body_reads = BodyReads()


class TimedBody:
    """The input of a WSGI server, whose reads end at a deadline.

    Under granian the worker's watch ends a connection whose body is late
    (`vestibule.server.worker`). Servers that pass the client's socket do
    without it.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        """Read the input of `environ`; its time begins with the first read."""
        self._source = environ["wsgi.input"]
        self._peer: str | None = environ.get("REMOTE_ADDR")
        self._deadline: float | None = None
        sockets = (environ.get(key) for key in _SOCKET_KEYS)
        self._socket = next(
            (one for one in sockets if isinstance(one, socket.socket)), None
        )

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`; all if it is negative.

        Raise `RequestTimeout` if they are late, and `ServiceBusy` if too
        many bodies are.
        """
        if self._deadline is None:
            allowed = settings.BODY_TIMEOUT.read()
            self._deadline = clock.monotonic() + allowed
        with body_reads.reading(self._deadline, self._peer):
            if self._socket is None:
                read = self._read(size)
            else:
                read = self._read_before_cut(self._socket, size)
        if clock.monotonic() >= self._deadline:
            raise RequestTimeout
        return read

    def _read(self, size: int) -> bytes:
        """Return the next bytes; they may take any time."""
        read: bytes = (
            self._source.read() if size < 0 else self._source.read(size)
        )
        return read

    def _read_before_cut(self, client: socket.socket, size: int) -> bytes:
        """Return the next bytes; at the deadline the client is cut off."""
        left = cast(float, self._deadline) - clock.monotonic()
        timer = threading.Timer(max(left, 0), _cut_off, [client])
        timer.daemon = True
        timer.start()
        try:
            return self._read(size)
        finally:
            timer.cancel()


def _cut_off(client: socket.socket) -> None:
    """End what the client sends; a response can still be sent to it."""
    with suppress(OSError):
        client.shutdown(socket.SHUT_RD)


class ChunkedBody(LimitedStream):
    """A body of unknown length that is refused if it is too long.

    Werkzeug would truncate it and treat its beginning as the whole body.
    """

    def readall(self) -> bytes:
        """Return the whole body; raise 413 if it exceeds the limit."""
        body = super().readall()
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge
        return body

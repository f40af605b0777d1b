#!/usr/bin/env python3
"""A load generator for machines without wrk: one thread, many sockets.

`python -m bench.client PORT FILE CONNECTIONS SECONDS [TEXT]` sends the
requests of the file, which has whole ones with a NUL after each, in turn
over connections that stay open. It prints what `load.lua` prints.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

_PATIENCE = 2.0


class Connection:
    """One open connection with one request on its way."""

    def __init__(self, port: int, wanted: bytes) -> None:
        """Connect to `port` of this machine; each body has `wanted`."""
        self._wanted = wanted
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=_PATIENCE
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arrived = b""
        self.sent = 0.0

    def send(self, request: bytes) -> None:
        """Send one whole request and note when."""
        self._arrived = b""
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Take what arrived; return the status once the answer is whole.

        It is 0 where the body is another than it should be. Raise
        `ConnectionError` if the other side hung up before.
        """
        more = self.socket.recv(65_536)
        if not more:
            raise ConnectionError("hung up")
        self._arrived += more
        head, end, body = self._arrived.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        return int(head[9:12]) if self._wanted in body else 0


class Tally:
    """What came of the requests so far."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self.refused = self.broken = 0
        self.latencies: list[float] = []

    def count(self, status: int, latency: float) -> None:
        """Count one answer that came after `latency` seconds."""
        self.refused += not 200 <= status <= 399
        self.latencies.append(latency)

    def summary(self, seconds: float) -> dict[str, float]:
        """Return the numbers by the names that `load.lua` has."""
        ordered = sorted(self.latencies) or [0.0]
        return {
            "answers": len(self.latencies),
            "refused": self.refused,
            "broken": self.broken,
            "seconds": seconds,
            "p50": ordered[len(ordered) // 2] * 1e3,
            "p99": ordered[len(ordered) * 99 // 100] * 1e3,
        }


def drive(
    port: int,
    requests: Iterator[bytes],
    connections: int,
    seconds: float,
    wanted: bytes = b"",
) -> dict[str, float]:
    """Keep `connections` busy with `requests`; return what came of it."""
    tally = Tally()
    with selectors.DefaultSelector() as selector:
        begun = time.perf_counter()
        for _ in range(connections):
            connection = Connection(port, wanted)
            connection.send(next(requests))
            selector.register(
                connection.socket, selectors.EVENT_READ, connection
            )
        while (now := time.perf_counter()) < begun + seconds:
            ready = selector.select(min(_PATIENCE, begun + seconds - now))
            for key, _ in ready:
                try:
                    _step(key.data, requests, tally)
                except OSError:
                    tally.broken += 1
                    selector.unregister(key.fileobj)
        passed = time.perf_counter() - begun
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return tally.summary(passed)


def _step(
    connection: Connection, requests: Iterator[bytes], tally: Tally
) -> None:
    """Read from a connection; after a whole answer, send the next request."""
    status = connection.receive()
    if status is not None:
        tally.count(status, time.perf_counter() - connection.sent)
        connection.send(next(requests))


def _length(head: bytes) -> int:
    """Return how long the body is that follows the `head`."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def main() -> None:
    """Read the arguments, make the load, print the summary."""
    port, file, connections, seconds, *wanted = sys.argv[1:]
    requests = Path(file).read_bytes().split(b"\0")[:-1]
    summary = drive(
        int(port),
        cycle(requests),
        int(connections),
        float(seconds),
        "".join(wanted).encode(),
    )
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

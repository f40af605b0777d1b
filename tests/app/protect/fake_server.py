#!/usr/bin/env python3
"""A server that sends fixed responses in place of a Vestibule."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Reply = Callable[[socket.socket], None]

GOOD = b'{"id": "1", "email": "bob@example.com", "first_name": "Bob"}'
NAMING = (b"Remote-User: 1", b"Remote-Groups: member")


def answer(
    body: bytes = GOOD,
    *headers: bytes,
    status: bytes = b"200 OK",
    kind: bytes = b"application/json",
) -> bytes:
    """Return an HTTP response with these parts."""
    lines = [
        b"HTTP/1.1 " + status,
        b"Content-Type: " + kind,
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class FakeServer:
    """Answers each request with the same bytes, or with `reply`."""

    def __init__(self, reply: bytes | Reply) -> None:
        """Listen on a free port."""
        self._reply = reply
        #: The requests that came, each as its lines.
        self.requests: list[list[bytes]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cookies(self) -> list[bytes]:
        """Return the lines with cookies of all requests."""
        return [
            line
            for lines in self.requests
            for line in lines
            if line.lower().startswith(b"cookie:")
        ]

    def stop(self) -> None:
        """Close all connections and wait for the threads."""
        for each in (self._socket, *self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(30)
        self._socket.close()

    def _accept(self) -> None:
        """Take connections until the end."""
        while True:
            try:
                wire, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(wire)
            thread = threading.Thread(target=self._serve, args=[wire])
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: socket.socket) -> None:
        """Answer the requests of one connection."""
        with wire:
            try:
                while head := _head_from(wire):
                    self.requests.append(head.split(b"\r\n"))
                    if isinstance(self._reply, bytes):
                        wire.sendall(self._reply)
                    else:
                        self._reply(wire)
            except OSError:
                return


@contextmanager
def fake_server(reply: bytes | Reply) -> Iterator[FakeServer]:
    """Run a fake server for as long as the block lasts."""
    running = FakeServer(reply)
    try:
        yield running
    finally:
        running.stop()


def reset(wire: socket.socket) -> None:
    """Reset the connection in place of an answer."""
    wire.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    wire.close()


def hang(wire: socket.socket) -> None:
    """Wait until the client closes the connection."""
    wire.recv(1)


def drip(wire: socket.socket) -> None:
    """Send a body that never ends, a byte at a time."""
    wire.sendall(answer()[: -len(GOOD)].replace(b"60", b"60000"))
    wire.settimeout(0.05)
    while True:
        try:
            if not wire.recv(1):
                return
        except TimeoutError:
            wire.sendall(b" ")


def endless(wire: socket.socket) -> None:
    """Send ten megabytes without a Content-Length."""
    head = answer(b"").replace(b"Content-Length: 0", b"Connection: close")
    wire.sendall(head)
    for _ in range(160):
        wire.sendall(b" " * 65_536)
    wire.close()


def cut(wire: socket.socket) -> None:
    """Send all of a response but its last byte, and close."""
    wire.sendall(answer(GOOD, *NAMING)[:-1])
    wire.close()


class ResetAfterFirstResponse:
    """Answers the first request of a connection, then resets it."""

    def __init__(self) -> None:
        """Know no connection yet."""
        self._known: set[socket.socket] = set()

    def __call__(self, wire: socket.socket) -> None:
        """Answer, or reset the connection."""
        if wire in self._known:
            reset(wire)
        else:
            self._known.add(wire)
            wire.sendall(answer(GOOD, *NAMING))


def _head_from(wire: socket.socket) -> bytes:
    """Return the head of the next request, empty at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = wire.recv(1)
        if not piece:
            return b""
        head += piece
    return head[:-4]

#!/usr/bin/env python3
"""The port of the server and the connections on it: how many, how quiet.

granian accepts connections and reads from them outside Python. This module
finds them among the descriptors of the process, and shuts down those that
hold up others.
"""

import errno
import logging
import os
import resource
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from vestibule.core import clock, settings
from vestibule.core.errors import ConfigurationError
from vestibule.http.body import BodyRead, body_reads

_log = logging.getLogger(__name__)

#: Seconds to wait for an earlier server to release the port.
PORT_WAIT_SECONDS = 2.0
#: Connections of a worker at the same time, if it may open enough files.
MAX_CONNECTIONS = 4096
#: Connections of a worker at the same time in any case.
MIN_CONNECTIONS = 8
#: Fewer connections than this are worth a warning.
FEW_CONNECTIONS = 256
#: Descriptors that a worker needs for itself, and for each of its threads:
#: a connection to SQLite has two files.
_OWN_DESCRIPTORS, _THREAD_DESCRIPTORS = 24, 2
#: Seconds between two looks at the connections.
LOOK_INTERVAL_SECONDS = 1.0
#: The same if too many are open.
FULL_LOOK_INTERVAL_SECONDS = 0.5
#: Seconds after its deadline in which a late body ends, if the right
#: connection was cut off.
OVERDUE_SECONDS = 3.0
#: The share of the allowed connections at which quiet ones are closed, and
#: the share that is left then.
FULL_SHARE, LEFT_SHARE = 0.9, 0.5
#: Seconds without a response after which a connection is quiet.
QUIET_SECONDS = 1.0
#: Seconds between two log lines about too many connections.
LOG_INTERVAL_SECONDS = 60.0
#: Milliseconds for which a client may leave a response unread (RFC 5482).
UNREAD_TIMEOUT_MS = 60_000
_DESCRIPTORS = "/proc/self/fd"
#: Where the kernel's `tcp_info` has the state, the milliseconds since data
#: were sent and received, and the number of segments sent with data.
_TCP_INFO = struct.Struct("B43xI4xI100xI")
#: States of a connection that this end has not shut down: ESTABLISHED and
#: CLOSE_WAIT.
_OPEN_STATES = (1, 8)


def address_of(host: str) -> str:
    """Return the IP address to listen on for `host`, which may be a name.

    Raise `ConfigurationError` if there is none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigurationError(
            "API_HOST", f"must be an address of this machine, not {host!r}"
        ) from None
    return str(found[0][4][0])


def check_port(host: str, port: int) -> None:
    """Raise `ConfigurationError` unless the server can listen on the port.

    granian binds with SO_REUSEPORT, and would silently share a port with
    another server; so a plain bind is tried first. It is repeated for
    `PORT_WAIT_SECONDS`, in case an earlier server is about to end.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    give_up = clock.monotonic() + PORT_WAIT_SECONDS
    while True:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as error:
                failure = error
        if failure.errno != errno.EADDRINUSE:
            raise ConfigurationError(
                "API_HOST, API_PORT",
                f"cannot listen on {host}:{port}: {failure.strerror}",
            )
        if clock.monotonic() > give_up:
            raise ConfigurationError(
                "API_PORT",
                f"port {port} is already in use; choose another one, such as"
                f" API_PORT={_free_port(family, host)}",
            )
        time.sleep(0.05)


def _free_port(family: int, host: str) -> int:
    """Return a port of `host` on which nothing listens at the moment."""
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def allow_connections() -> int:
    """Return how many connections a worker may have at the same time.

    The limit of open files is raised for that, as far as this process may.
    At the limit, granian would try to accept connections without a pause.
    """
    own = _OWN_DESCRIPTORS + (
        _THREAD_DESCRIPTORS * settings.BLOCKING_THREADS.read()
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + own
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        # Some systems have a limit below the one that they report.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = MAX_CONNECTIONS if soft < 0 else min(MAX_CONNECTIONS, soft - own)
    if most < FEW_CONNECTIONS:
        most = max(most, MIN_CONNECTIONS)
        _log.warning(
            "the limit of open files (ulimit -n) is %d: at most %d"
            " connections at a time; raise it to %d",
            soft,
            most,
            wanted,
        )
    return most


class Connection(NamedTuple):
    """An open connection: its descriptor, inode, peer and traffic.

    `sent_ms` and `received_ms` are the milliseconds since data were last
    sent and received, `segments` counts what was sent.
    """

    number: int
    inode: int
    peer: str
    sent_ms: int
    received_ms: int
    segments: int


class Connections:
    """The connections of this process on the port that it serves.

    They are bounded. Outside Linux they cannot be seen: there a late body
    is not cut off, and a full server waits until connections time out.
    """

    def __init__(self, port: int, most: int) -> None:
        """Watch the connections on `port`, of which `most` are allowed."""
        self._port = port
        self._most = most
        self._next_look = self._next_log = -LOG_INTERVAL_SECONDS
        self._has_limits = False
        #: For each slow read, the segments that each connection (by inode)
        #: had been sent when the read was first seen.
        self._before: dict[BodyRead, dict[int, int]] = {}

    def check(self) -> None:
        """Cut off late bodies and, if there are too many, quiet clients."""
        now = clock.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_INTERVAL_SECONDS
        if not self._has_limits:
            self._has_limits = limit_unread_time(self._port)
        is_reading = bool(body_reads.slow())
        is_full = _number_of_descriptors() >= FULL_SHARE * self._most
        if not is_reading:
            self._before.clear()
        if is_reading or is_full:
            found = list(connections(self._port))
            if is_reading:
                self._cut_late_bodies(found, now)
            if len(found) >= FULL_SHARE * self._most:
                self._close_quiet(found, now)
                self._next_look = now + FULL_LOOK_INTERVAL_SECONDS

    def close_unfinished(self) -> None:
        """Close the connections whose requests have not arrived as a whole.

        For a server that ends, while no request is in progress: a client
        that sends half of a header would delay its end. A connection that
        still gets a response has received data before that.
        """
        for one in connections(self._port):
            if not one.segments or one.received_ms < one.sent_ms:
                _shut(one, socket.SHUT_RDWR)

    def _cut_late_bodies(self, found: list[Connection], now: float) -> None:
        """Stop receiving from clients whose bodies are late.

        granian does not say which connection a request came by. It must be
        one from the same address that was sent nothing since the read was
        first seen here. If several are, those that received data after
        their last response are cut off, or, if these are too few, all of
        them: a client easily replaces an idle connection.
        """
        sent = {one.inode: one.segments for one in found}
        self._before = {
            read: self._before.get(read, sent) for read in body_reads.slow()
        }
        late = [
            read
            for read, before in self._before.items()
            if read.deadline <= now and before is not sent
        ]
        for peer in {read.peer for read in late}:
            reads = [read for read in late if read.peer == peer]
            quiet = [
                one
                for one in found
                if one.peer == peer
                and any(
                    self._before[read].get(one.inode) == one.segments
                    for read in reads
                )
            ]
            busy = [one for one in quiet if one.received_ms <= one.sent_ms]
            is_enough = len(busy) >= len(reads) and all(
                read.deadline > now - OVERDUE_SECONDS for read in reads
            )
            for one in busy if is_enough else quiet:
                _shut(one, socket.SHUT_RD)

    def _close_quiet(self, found: list[Connection], now: float) -> None:
        """Close the connections whose last response is longest ago."""
        if now >= self._next_log:
            self._next_log = now + LOG_INTERVAL_SECONDS
            _log.warning(
                "%d of at most %d connections are open: closing quiet ones",
                len(found),
                self._most,
            )
        quiet = [one for one in found if one.sent_ms > QUIET_SECONDS * 1000]
        quiet.sort(key=lambda one: one.sent_ms, reverse=True)
        excess = len(found) - int(LEFT_SHARE * self._most)
        for one in quiet[:excess]:
            _shut(one, socket.SHUT_RDWR)


def limit_unread_time(port: int) -> bool:
    """Bound how long clients of `port` may leave a response unread.

    Connections inherit it from the socket that listens. Return True if
    there is one.
    """
    for number in _descriptors():
        with suppress(OSError), _socket_on(port, number) as one:
            if one and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                one.setsockopt(
                    socket.IPPROTO_TCP,
                    socket.TCP_USER_TIMEOUT,
                    UNREAD_TIMEOUT_MS,
                )
                one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return True
    return False


def connections(port: int) -> Iterator[Connection]:
    """Yield the open connections of this process on `port`."""
    for number in _descriptors():
        with suppress(OSError), _socket_on(port, number) as one:
            if one is None:
                continue
            peer = one.getpeername()[0]
            info = one.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size
            )
            state, *traffic = _TCP_INFO.unpack(info)
            if state in _OPEN_STATES:
                inode = os.fstat(one.fileno()).st_ino
                yield Connection(number, inode, peer, *traffic)


def is_open(port: int) -> bool:
    """Return True if this process listens or has a connection on `port`.

    Outside Linux that cannot be seen, so the answer is True.
    """
    if not os.path.isdir(_DESCRIPTORS):
        return True
    return any(_is_used(number, port) for number in _descriptors())


def _is_used(number: int, port: int) -> bool:
    """Return True if a file descriptor listens or has a peer on `port`.

    granian's parent leaves its workers a socket that does neither.
    """
    with suppress(OSError), _socket_on(port, number) as one:
        return one is not None and bool(
            one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            or one.getpeername()
        )
    return False


@contextmanager
def _socket_on(port: int, number: int) -> Iterator[socket.socket | None]:
    """Yield the TCP socket with the descriptor `number` and this port.

    Yield `None` if it is something else.
    """
    one: socket.socket | None = None
    with suppress(OSError):
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            one = socket.socket(fileno=os.dup(number))
    if one is None:
        yield None
        return
    with one:
        is_ours = (
            one.family in (socket.AF_INET, socket.AF_INET6)
            and one.getsockname()[1] == port
        )
        yield one if is_ours else None


def _shut(connection: Connection, how: int) -> None:
    """Shut a connection down, unless it is closed already."""
    with (
        suppress(OSError),
        socket.socket(fileno=os.dup(connection.number)) as one,
    ):
        if os.fstat(one.fileno()).st_ino == connection.inode:
            one.shutdown(how)


def _descriptors() -> list[int]:
    """Return the numbers of this process's file descriptors."""
    try:
        return [int(name) for name in os.listdir(_DESCRIPTORS)]
    except OSError:
        return []


def _number_of_descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(_descriptors())

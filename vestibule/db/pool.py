#!/usr/bin/env python3
"""A small pool of connections, which threads borrow and return.

A connection stays open between two uses: opening one for each request costs
more than the look-up it is opened for. It does not stay with a thread.
Python before 3.12.4 crashes when a thread that Python did not start ends
while it still holds such a connection
(docs/decisions/0014-threads-that-end.md).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection


class PooledConnection:
    """A connection of the pool, opened at first use and after a failure.

    `uses` counts the nested blocks of one thread that use it. `driver` is
    the driver's own connection, or `None` before it is needed.
    `data_version` is the value of the SQLite pragma of that name when it
    was last read on this connection, and `change_token` the token that was
    read after it.
    """

    __slots__ = (
        "_connect",
        "_opened",
        "change_token",
        "data_version",
        "driver",
        "uses",
    )

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Prepare to open the connection by `connect`."""
        self._connect = connect
        self._opened: Connection | None = None
        self.driver: Any = None
        self.data_version: int | None = None
        self.change_token: str | None = None
        self.uses = 0

    @property
    def is_open(self) -> bool:
        """Return True if there is a connection to close."""
        return self._opened is not None

    def open(self) -> Connection:
        """Return the connection; open it first if needed."""
        if self._opened is None:
            self._opened = self._connect()
        return self._opened

    def open_driver(self) -> Any:
        """Return the driver's own connection; open it first if needed."""
        if self.driver is None:
            self.driver = self.open().connection.driver_connection
        return self.driver

    def fetch_first(
        self, text: str, parameters: Mapping[str, Any]
    ) -> Sequence[Any] | None:
        """Return the first row of a query as the driver gives it."""
        row: Sequence[Any] | None = (
            self.open_driver().execute(text, parameters).fetchone()
        )
        return row

    def close(self) -> None:
        """Close the connection; uncommitted work is rolled back."""
        opened, self._opened = self._opened, None
        self.driver = self.data_version = None
        if opened is not None:
            opened.invalidate()
            opened.close()


class Pool:
    """The connections of a process to one database.

    It has at most as many open connections as threads have used it at the
    same time: `BLOCKING_THREADS` of a server, and its background threads.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Prepare to open connections by `connect`. Opens nothing."""
        self._connect = connect
        # Appending to a deque and popping from it are atomic. The connection
        # that was returned last is lent next, so few of them are in use.
        self._idle: deque[PooledConnection] = deque()
        # The connection that a thread has borrowed, until it returns it.
        self._local = threading.local()
        self._is_disposed = False

    def take(self) -> PooledConnection:
        """Lend a connection: the one that this thread already uses, if any.

        The caller passes it to `give_back`, also after an error.
        """
        pooled: PooledConnection | None = getattr(self._local, "pooled", None)
        if pooled is None:
            try:
                pooled = self._idle.pop()
            except IndexError:
                pooled = PooledConnection(self._connect)
            self._local.pooled = pooled
        pooled.uses += 1
        return pooled

    def give_back(self, pooled: PooledConnection) -> None:
        """Take back what `take` lent; the thread keeps no reference to it."""
        pooled.uses -= 1
        if pooled.uses:
            return
        self._local.pooled = None
        if self._is_disposed:
            pooled.close()
        elif pooled._opened is not None:
            self._idle.append(pooled)

    @contextmanager
    def borrow(self) -> Iterator[PooledConnection]:
        """Lend a connection for a block."""
        pooled = self.take()
        try:
            yield pooled
        finally:
            self.give_back(pooled)

    def close_idle(self) -> None:
        """Close the connections that no thread is using."""
        while pooled := self._take_idle():
            pooled.close()

    def dispose(self) -> None:
        """Close all connections, those still lent when they are returned."""
        self._is_disposed = True
        self.close_idle()

    def _take_idle(self) -> PooledConnection | None:
        """Take an idle connection out of the pool; `None` if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

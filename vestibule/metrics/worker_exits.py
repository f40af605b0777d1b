#!/usr/bin/env python3
"""Worker processes that ended unexpectedly: how many, and by what.

The parent process sees the end of a worker and counts it in memory that it
shares with its workers, so that any of them can report it in a scrape. The
parent has no connection to the database. The worker that is started next
writes the event.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vestibule.core.threads import SharedNumber, shared_number

#: Exit codes of a worker that another process asked to end.
_EXPECTED_EXIT_CODES = (0, -signal.SIGTERM)
_counting = threading.Lock()
#: The number of exits, shared by the processes of a server; `None` in a
#: process that belongs to no server.
_count: SharedNumber | None = None


def cause_of(exit_code: int) -> str | None:
    """Return what ended a process: the name of a signal, or its exit code.

    `exit_code` is negative if a signal ended it. Return `None` if the
    process ended because it was told to.
    """
    if exit_code in _EXPECTED_EXIT_CODES:
        return None
    if exit_code > 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


@contextmanager
def counted() -> Iterator[SharedNumber]:
    """Count within the block, in memory that the workers share."""
    global _count
    _count = shared_number()
    try:
        yield _count
    finally:
        _count = None


def count_in(number: SharedNumber) -> None:
    """Use the `number` of the server, in a worker that was spawned."""
    global _count
    _count = number


def add() -> None:
    """Count one more exit."""
    with _counting:
        if _count is not None:
            _count.value += 1


def count() -> int | None:
    """Return how many workers of this server have ended unexpectedly.

    `None` if this process belongs to no server.
    """
    return None if _count is None else _count.value

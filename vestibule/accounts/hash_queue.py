#!/usr/bin/env python3
"""The queue in front of the password hashes.

Its law: hashes in progress and those waiting take at most half of the
server's threads, so a storm of logins leaves the others free to answer.
More are refused at once, with the time after which to come back.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vestibule import settings
from vestibule.errors import Busy
from vestibule.passwords import usable_cores
from vestibule.threads import Once

#: Seconds after which a refused login should be tried again.
RETRY_AFTER = 1


class HashQueue:
    """Lets a few threads hash at once, a few wait, and refuses the rest."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """Let `at_once` threads hash while at most `waiting` wait."""
        self._places = threading.BoundedSemaphore(at_once + waiting)
        self._turns = threading.BoundedSemaphore(at_once)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn to hash; raise `Busy` if the queue is full."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many passwords to check at once", RETRY_AFTER)
        try:
            with self._turns:
                yield
        finally:
            self._places.release()


@Once
def hash_queue() -> HashQueue:
    """Return this process's queue: as many at once as it has cores."""
    half = settings.BLOCKING_THREADS.read() // 2
    cores = usable_cores() // settings.WORKERS.read()
    at_once = max(1, min(cores, half))
    return HashQueue(at_once, half - at_once)


# The threads that have places in the parent's are not in a forked child.
os.register_at_fork(after_in_child=hash_queue.cache_clear)

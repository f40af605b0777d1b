#!/usr/bin/env python3
"""What is counted while the service runs: answers, and events.

Its law: counting must not be felt. Each thread counts in a dictionary of
its own, without a lock; whoever wants to know adds them up.
"""

import os
import threading
from bisect import bisect_left
from collections.abc import Iterable
from weakref import ref

from vestibule.core import clock
from vestibule.core.threads import Once

#: Upper bounds, in seconds, of the classes that durations fall into.
DURATION_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
)


#: What answers are told apart by: method, route, status, and the index of
#: the first of `BOUNDS` that the duration is not above. A plain tuple is
#: made in a fifth of the time of one with names.
RequestKey = tuple[str, str, str, int]
#: The name of an event of the security log.
EventKey = tuple[str]
#: How often, and for how many seconds together.
Sums = dict[RequestKey | EventKey, list[float]]


class _Mark:
    """What lives as long as the thread that has it."""


class Counters:
    """Counts what the threads of one process do."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._own = threading.local()
        self._adding = threading.Lock()
        self._threads: list[tuple[ref[_Mark], Sums]] = []
        self._ended: Sums = {}

    def answered(
        self, method: str, route: str, status: str, began: float
    ) -> None:
        """Count an answer to a request of the monotonic moment `began`."""
        seconds = clock.monotonic() - began
        bound = bisect_left(DURATION_BUCKETS, seconds)
        self._count((method, route, status, bound), seconds)

    def happened(self, event: str) -> None:
        """Count an event of the security log."""
        self._count((event,), 0.0)

    def sums(self) -> Sums:
        """Return what all threads have counted until now."""
        with self._adding:
            counted = [self._ended, *(own for _, own in self._threads)]
            # `list` of the items is one step that no thread comes between.
            return sum_counts(list(own.items()) for own in counted)

    def _count(self, key: RequestKey | EventKey, seconds: float) -> None:
        """Add one to what this thread has counted of `key`."""
        own = getattr(self._own, "sums", None)
        if own is None:
            own = self._join()
        known = own.get(key)
        if known is None:
            own[key] = [1, seconds]
        else:
            known[0] += 1
            known[1] += seconds

    def _join(self) -> Sums:
        """Let this thread count too, and keep what ended ones counted.

        A thread that Python did not start, as those of a server, counts as
        alive for ever: what goes with it tells that it ended.
        """
        own: Sums = {}
        mark = self._own.mark = _Mark()
        self._own.sums = own
        with self._adding:
            alive = []
            for of_thread, sums in self._threads:
                if of_thread() is not None:
                    alive.append((of_thread, sums))
                else:
                    self._ended = sum_counts(
                        [self._ended.items(), sums.items()]
                    )
            self._threads = [*alive, (ref(mark), own)]
        return own


def sum_counts(
    counted: Iterable[Iterable[tuple[RequestKey | EventKey, list[float]]]],
) -> Sums:
    """Return the sums of what several have counted."""
    total: Sums = {}
    for items in counted:
        for key, (times, seconds) in items:
            known = total.setdefault(key, [0, 0.0])
            known[0] += times
            known[1] += seconds
    return total


@Once
def counters() -> Counters:
    """Return what this process counts."""
    return Counters()


# What the parent counted is the parent's to tell.
os.register_at_fork(after_in_child=counters.cache_clear)

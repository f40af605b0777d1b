#!/usr/bin/env python3
"""Counters of one process: its responses and its security events.

Each thread counts in its own dictionary without a lock, and a scrape adds
them up, so that counting costs a request almost nothing.
"""

import os
import threading
from bisect import bisect_left
from collections.abc import Iterable
from weakref import ref

from vestibule.core import clock
from vestibule.core.threads import Once

#: Upper bounds of the histogram of durations, in seconds.
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


#: Method, route, status, and the index of the first of `DURATION_BUCKETS`
#: that the duration does not exceed. A plain tuple is made in a fifth of the
#: time of a named one.
RequestKey = tuple[str, str, str, int]
#: The name of an event of the security log.
EventKey = tuple[str]
#: The number and the total seconds of each key.
Totals = dict[RequestKey | EventKey, list[float]]


class _ThreadMarker:
    """An object that lives as long as the thread that holds it."""


class Counters:
    """Counts the responses and events of all threads of a process."""

    def __init__(self) -> None:
        """Begin with no counts."""
        self._own = threading.local()
        self._threads_lock = threading.Lock()
        self._threads: list[tuple[ref[_ThreadMarker], Totals]] = []
        self._ended: Totals = {}

    def count_response(
        self, method: str, route: str, status: str, began: float
    ) -> None:
        """Count a response.

        `began` is the moment of the monotonic clock, in seconds, at which
        its request arrived.
        """
        seconds = clock.monotonic() - began
        bound = bisect_left(DURATION_BUCKETS, seconds)
        self._count((method, route, status, bound), seconds)

    def count_event(self, event: str) -> None:
        """Count an event of the security log."""
        self._count((event,), 0.0)

    def totals(self) -> Totals:
        """Return the counts of all threads until now."""
        with self._threads_lock:
            counted = [self._ended, *(own for _, own in self._threads)]
            # `list` of the items is atomic: no other thread runs in between.
            return sum_counts(list(own.items()) for own in counted)

    def _count(self, key: RequestKey | EventKey, seconds: float) -> None:
        """Add one to this thread's count of `key`."""
        try:
            own = self._own.totals
        except AttributeError:
            own = self._register_thread()
        known = own.get(key)
        if known is None:
            own[key] = [1, seconds]
        else:
            known[0] += 1
            known[1] += seconds

    def _register_thread(self) -> Totals:
        """Give this thread its counts, and keep those of ended threads.

        `threading` never reports the end of a thread that Python did not
        start, like the server's; its thread-local marker disappears.
        """
        own: Totals = {}
        mark = self._own.mark = _ThreadMarker()
        self._own.totals = own
        with self._threads_lock:
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
) -> Totals:
    """Return the sum of several counts."""
    total: Totals = {}
    for items in counted:
        for key, (times, seconds) in items:
            known = total.setdefault(key, [0, 0.0])
            known[0] += times
            known[1] += seconds
    return total


@Once
def counters() -> Counters:
    """Return the counters of this process."""
    return Counters()


# A child must not report its parent's counts again.
os.register_at_fork(after_in_child=counters.cache_clear)

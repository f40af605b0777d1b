#!/usr/bin/env python3
"""Many threads that begin at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from models import engine

T = TypeVar("T")


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Return what `work` gives for each number below `count`.

    Each number has a thread of its own; all begin together, and each
    leaves its connection closed.
    """
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        """Wait for the others, then work."""
        barrier.wait(30)
        try:
            return work(number)
        finally:
            engine.database().close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))

#!/usr/bin/env python3
"""Background threads, and values that threads or processes share.

A request does not fail because a container allows no more threads: the
caller tries again later, and the failure is logged once. A shared value is
created once, even if several threads need it first at the same time.
"""

import ctypes
import logging
import mmap
import multiprocessing
import threading
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, Protocol, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: The names of threads that could not be started.
_unstarted: set[str] = set()


def start_thread(
    name: str, work: Callable[..., object], *arguments: Any
) -> threading.Thread | None:
    """Start a daemon thread that runs `work`; `None` if it cannot start."""
    thread = threading.Thread(
        target=work, args=arguments, name=name, daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        if name not in _unstarted:
            _unstarted.add(name)
            _log.warning("no thread for %s: %s", name, error)
        return None
    _unstarted.discard(name)
    return thread


class Once(Generic[T]):
    """A function without arguments whose one result all threads share.

    With `functools.cache` two threads that call it first at the same time
    get a result each, and changes to one of the two are lost.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        """Call `make` for the result when it is first needed."""
        self._make = make
        update_wrapper(self, make)
        self.cache_clear()

    def __call__(self) -> T:
        """Return the result."""
        results = self._results
        if not results:
            with self._lock:
                if not results:
                    results.append(self._make())
        return results[0]

    def cache_clear(self) -> None:
        """Drop the result, as a forked child does with its parent's."""
        self._results: list[T] = []
        self._lock = threading.Lock()


class SharedNumber(Protocol):
    """A whole number in memory that several processes see."""

    value: int


def start_method() -> str:
    """Return how worker processes start: by `fork` or by `spawn`.

    The default of the platform counts. `forkserver`, the default of Python
    3.14 on Linux, does not pass sockets on, so granian uses `spawn` then.
    """
    method = multiprocessing.get_start_method()
    return method if method == "fork" else "spawn"


def shared_number() -> SharedNumber:
    """Return a number, 0 at first, that this process's children see.

    Memory for spawned processes needs a file, forked ones need none.
    """
    if start_method() == "fork":
        memory = mmap.mmap(-1, mmap.PAGESIZE)
        return ctypes.c_uint64.from_buffer(memory)
    return multiprocessing.get_context("spawn").RawValue(ctypes.c_uint64)

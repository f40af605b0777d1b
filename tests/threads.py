#!/usr/bin/env python3
"""Threads that start at the same moment, or hold something."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest

from vestibule.db import engine

T = TypeVar("T")


class FailingThreadStart:
    """A system that refuses the next thread and starts later ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the function that starts the threads of this process."""
        self._start = threading._start_new_thread  # type: ignore[attr-defined]
        self._is_full = True
        monkeypatch.setattr(threading, "_start_new_thread", self._started)

    def _started(self, *arguments: Any) -> Any:
        """Raise once, as Python does at a process limit."""
        if self._is_full:
            self._is_full = False
            raise RuntimeError("can't start new thread")
        return self._start(*arguments)


def at_once(
    count: int, work: Callable[[int], T], closing: bool = True
) -> list[T]:
    """Call `work` with each number below `count`; return the results.

    Each call has its own thread, and all start together. Each thread closes
    its database connection unless `closing` is false.
    """
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        """Wait for the other threads, then work."""
        barrier.wait(30)
        try:
            return work(number)
        finally:
            if closing:
                engine.database().close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@contextmanager
def held(taken: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """Let another thread stay in the context `taken()` until the end."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        """Enter the context and stay until the test ends it."""
        with taken():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert inside.wait(30)
        yield
    finally:
        leave.set()
        thread.join(30)

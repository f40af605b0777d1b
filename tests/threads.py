#!/usr/bin/env python3
"""Threads that begin at the same moment, or hold something."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest

from vestibule.db import engine

T = TypeVar("T")


class FailingThreadStart:
    """A system that refuses the next thread, and gives those after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand before what starts the threads of this process."""
        self._start = threading._start_new_thread  # type: ignore[attr-defined]
        self._is_full = True
        monkeypatch.setattr(threading, "_start_new_thread", self._started)

    def _started(self, *arguments: Any) -> Any:
        """Refuse as Python does at a limit of processes, once."""
        if self._is_full:
            self._is_full = False
            raise RuntimeError("can't start new thread")
        return self._start(*arguments)


def at_once(
    count: int, work: Callable[[int], T], closing: bool = True
) -> list[T]:
    """Return what `work` gives for each number below `count`.

    Each number has a thread of its own; all begin together. The
    connections are closed at the end, unless not `closing`.
    """
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        """Wait for the others, then work."""
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
    """Let another thread be within what `taken` gives, until the end."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        """Go in, say so, and stay until told to leave."""
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

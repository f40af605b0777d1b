#!/usr/bin/env python3
"""Threads that work aside, and what all threads of a process share.

Its law: a request does not fail because a container may have no more
threads; whoever wanted one asks again, and the log is told once. What is
shared is made once, whoever is first.
"""

import logging
import threading
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: The names of those that could not be started.
_unstarted: set[str] = set()


def start_thread(
    name: str, work: Callable[..., object], *arguments: Any
) -> threading.Thread | None:
    """Start a daemon thread that does `work`; `None` if there is none."""
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

    `functools.cache` gives two threads that are the first together one
    each, and what the one of them notes there is lost.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        """Take the result from `make`, when it is first asked for."""
        self._make = make
        update_wrapper(self, make)
        self.cache_clear()

    def __call__(self) -> T:
        """Return the result."""
        made = self._made
        if not made:
            with self._making:
                if not made:
                    made.append(self._make())
        return made[0]

    def cache_clear(self) -> None:
        """Forget it; a child does so that was forked, whoever made it."""
        self._made: list[T] = []
        self._making = threading.Lock()

#!/usr/bin/env python3
"""Background threads, and what the threads or processes of a server share.

A request does not fail because a container allows no more threads: the
caller tries again later, and the failure is logged once. A shared value is
created once, even if several threads need it first at the same time.
"""

import ctypes
import errno
import logging
import mmap
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from vestibule.core import clock
from vestibule.core.errors import ConfigurationError

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds to wait for a worker that is being replaced.
MAX_CLAIM_WAIT_SECONDS = 5.0
#: The sockets that are the claims of `claim_process`; they stay open as long
#: as this process runs.
_claims: list[socket.socket] = []
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


class Wakeups:
    """What wakes the main thread: signals, and the ends of workers.

    granian uses an event, whose `set` takes a lock. A second signal during
    the handler of the first one would wait for that lock forever: the end
    of a terminal sends two. And what came just before `clear` was lost.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._unseen: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake the main thread once; handlers may call this."""
        self._unseen.put(None)

    def wait(self) -> None:
        """Wait for the next wakeup."""
        self._unseen.get()

    def clear(self) -> None:
        """Forget nothing: each wakeup is seen once."""


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


def claim_process() -> None:
    """Make this process the only worker of its server that has sessions.

    gunicorn and other servers fork workers without a setting of ours, and
    each would have sessions of its own. The claim is an abstract socket,
    named after the parent, which ends with the process. It needs Linux;
    elsewhere, and for an application that is loaded before the fork,
    nothing is checked. Raise `ConfigurationError` if another worker has the
    claim for longer than `MAX_CLAIM_WAIT_SECONDS`; a worker that is being
    replaced gives it up earlier.
    """
    if not _is_forked_worker():
        return
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = f"\0vestibule-sessions-{os.getuid()}-{os.getppid()}"
    give_up = clock.monotonic() + MAX_CLAIM_WAIT_SECONDS
    while True:
        try:
            claim.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                claim.close()
                return
        else:
            _claims.append(claim)
            return
        if clock.monotonic() > give_up:
            claim.close()
            raise ConfigurationError(
                "AUTH_TYPE",
                "keeps its sessions in the memory of one process, and another"
                " worker of this server has some; run one worker, or use"
                " session_db_auth",
            )
        time.sleep(0.05)


def _is_forked_worker() -> bool:
    """Return True if the parent runs the same program, as a server does."""
    try:
        own, parent = (
            Path(f"/proc/{process}/cmdline").read_bytes()
            for process in (os.getpid(), os.getppid())
        )
    except OSError:
        return False
    return own == parent

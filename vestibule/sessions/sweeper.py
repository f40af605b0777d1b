#!/usr/bin/env python3
"""The sweeper: drops dead sessions from time to time, unasked.

Its law: a failed sweep is logged and tried again; it never stops the
service, and it never starts by an import.
"""

import logging
import os
import threading
from collections.abc import Callable

from vestibule.core import settings
from vestibule.core.errors import VestibuleError
from vestibule.core.threads import start_thread

_log = logging.getLogger(__name__)


class Sweeper:
    """A daemon thread of this process that calls `sweep` at intervals."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        """Prepare to call `sweep`; nothing runs yet."""
        self._sweep = sweep
        self._pid: int | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()

    def ensure_running(self) -> None:
        """Start the thread, unless it runs in this very process.

        A server that forks after loading the application leaves its
        threads behind, so each process starts its own.
        """
        if self._pid == os.getpid():
            return
        with self._starting:
            if self._pid != os.getpid() and start_thread("sweeper", self._run):
                self._pid = os.getpid()

    def stop(self) -> None:
        """Let the thread end before its next sweep."""
        self._stopping.set()

    def _run(self) -> None:
        """Sweep, wait, and begin again."""
        interval = settings.SESSION_PURGE_INTERVAL.read()
        while not self._stopping.wait(interval):
            self.sweep()

    def sweep(self) -> None:
        """Sweep once and log what came of it."""
        try:
            gone = self._sweep()
        except VestibuleError as error:
            _log.warning("expired sessions stay for now: %s", error)
        except Exception:
            # Of a subclass, perhaps; the thread must not die of it.
            _log.exception("expired sessions stay for now")
        else:
            if gone:
                _log.info("dropped %d expired sessions", gone)

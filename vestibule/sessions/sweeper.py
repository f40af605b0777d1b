#!/usr/bin/env python3
"""The sweeper: a background thread that deletes expired sessions.

A failed sweep is logged and tried again; it never stops the service.
Importing this module starts nothing.
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
        """Prepare to call `sweep`; no thread runs yet."""
        self._sweep = sweep
        self._pid: int | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()

    def ensure_running(self) -> None:
        """Start the thread, unless it runs in this process.

        Threads do not survive a fork, so each process starts its own.
        """
        if self._pid == os.getpid():
            return
        with self._starting:
            if self._pid != os.getpid() and start_thread("sweeper", self._run):
                self._pid = os.getpid()

    def stop(self) -> None:
        """Make the thread end before its next sweep."""
        self._stopping.set()

    def _run(self) -> None:
        """Wait and sweep until stopped."""
        interval = settings.SESSION_PURGE_INTERVAL.read()
        while not self._stopping.wait(interval):
            self.sweep()

    def sweep(self) -> None:
        """Sweep once and log the result."""
        try:
            gone = self._sweep()
        except VestibuleError as error:
            _log.warning("expired sessions stay for now: %s", error)
        except Exception:
            # Perhaps from a subclass; the thread must survive it.
            _log.exception("expired sessions stay for now")
        else:
            if gone:
                _log.info("dropped %d expired sessions", gone)

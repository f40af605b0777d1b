#!/usr/bin/env python3
"""Background threads that delete expired sessions and write last uses.

A failed sweep is logged and tried again; it never stops the service. A last
use that cannot be written is logged and dropped. Importing this module
starts nothing.
"""

import logging
import os
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize

from vestibule.core import settings
from vestibule.core.errors import VestibuleError
from vestibule.core.threads import Once, start_thread
from vestibule.db.session_touches import PENDING_TOUCHES

_log = logging.getLogger(__name__)

#: Seconds for which last uses are collected before they are written. Other
#: processes see a use that much later.
TOUCH_DELAY_SECONDS = 0.2
#: Seconds that the end of the process waits for the thread that writes them.
CLOSE_TIMEOUT_SECONDS = 10.0


class Sweeper:
    """A daemon thread of this process that calls `sweep` at intervals."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        """Prepare to call `sweep`; no thread runs yet."""
        self._sweep = sweep
        self._pid: int | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()

    def ensure_running(self) -> bool:
        """Start the thread, unless it runs in this process.

        Threads do not survive a fork, so each process starts its own.
        Return False if it could not be started.
        """
        if self._pid == os.getpid():
            return True
        with self._starting:
            if self._pid != os.getpid() and start_thread("sweeper", self._run):
                self._pid = os.getpid()
        return self._pid == os.getpid()

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
            _log.warning("cannot delete expired sessions yet: %s", error)
        except Exception:
            # A subclass may raise anything, and the thread must go on.
            _log.exception("cannot delete expired sessions yet")
        else:
            if gone:
                _log.info("deleted %d expired sessions", gone)


class TouchWriter:
    """A daemon thread of this process that writes last uses of sessions."""

    def __init__(self) -> None:
        """Prepare to start the thread at the first use."""
        self._starting = threading.Lock()
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Write soon, or at once if no thread can be started."""
        self._due.set()
        if self._thread is None and not self._start():
            self.write()

    def close(self) -> None:
        """End the thread, and write what is left."""
        self._closed.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_TIMEOUT_SECONDS)
        self.write()

    def write(self) -> None:
        """Write once; log an error instead of raising it.

        On a full disk, requests that only read must not fail.
        """
        try:
            PENDING_TOUCHES.write()
        except VestibuleError as error:
            _log.warning("the last use of a session was not stored: %s", error)
        except Exception:
            # The thread must go on.
            _log.exception("the last use of a session was not stored")

    def _start(self) -> bool:
        """Start the thread; return False if that is impossible."""
        with self._starting:
            if self._thread is None:
                self._thread = start_thread("touches", self._run)
                if self._thread is not None:
                    # Unlike `atexit` it runs in the server's workers too.
                    Finalize(None, self.close, exitpriority=0)
            return self._thread is not None

    def _run(self) -> None:
        """Write what was collected in each interval, until closed."""
        while not self._closed.is_set():
            self._due.wait()
            self._closed.wait(TOUCH_DELAY_SECONDS)
            self._due.clear()
            self.write()


@Once
def touch_writer() -> TouchWriter:
    """Return the writer of this process."""
    return TouchWriter()


# A forked child does not have the thread of its parent.
os.register_at_fork(after_in_child=touch_writer.cache_clear)

#!/usr/bin/env python3
"""The start of a worker process, and the thread that watches over it.

No worker outlives its parent, which also decides when a worker drains and
ends. The watch ends the connections of clients whose bodies are late and,
if too many are open, the connections without a response for longest.
"""

import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from enum import IntEnum
from multiprocessing.util import is_exiting
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.utils import import_string

from vestibule.api.views import index
from vestibule.audit.log import EventType, log
from vestibule.audit.writer import audit_writer
from vestibule.core import logging as logs
from vestibule.core.threads import SharedNumber, start_thread
from vestibule.http.responses import WSGIApplication
from vestibule.metrics import multiprocess
from vestibule.server.connections import Connections, is_open

_log = logging.getLogger(__name__)

#: Signals that end the service. A terminal or a service manager may send
#: them to all its processes; only the parent acts on them.
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Seconds between two checks of the watch.
WATCH_INTERVAL_SECONDS = 0.1
#: Checks in a row that find no open connection, before a worker that was
#: told to end is ended.
IDLE_CHECKS_BEFORE_EXIT = 10
#: Checks after which a signal was for this worker only: if the parent had got
#: it too, it would have acted on it.
SIGNAL_CHECKS_BEFORE_END = 10


class Phase(IntEnum):
    """What the parent wants its workers to do."""

    SERVE = 0
    DRAIN = 1
    END = 2


class Shared(NamedTuple):
    """What a worker gets from its parent.

    `phase` and `exits` are numbers in memory that all of them see. `counts`
    is the folder with the counts of all workers, if there are several.
    """

    port: int
    max_connections: int
    phase: SharedNumber
    exits: SharedNumber
    counts: Path | None


def load_application(
    shared: Shared, target: str, exits: Iterable[str] = ()
) -> Any:
    """Return the application `target`; runs in each worker as it starts.

    `exits` are the causes by which workers ended unexpectedly: this one
    writes them to the security log.

    A signal that crashes the worker writes the stack of each thread to
    standard error.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)
    if sys.stderr is not None:
        faulthandler.enable()
    logs.configure_logging()
    multiprocess.share_in(shared.counts)
    multiprocess.share_exits_in(shared.exits)
    watch = Watch(shared)
    start_thread("watch", watch.run)
    application = watch.application = import_string(target)
    for cause in exits:
        log(EventType.WORKER_EXITED, reason=cause)
    return application


class Watch:
    """Follows the parent, and looks after the worker's connections."""

    def __init__(self, shared: Shared) -> None:
        """Watch over a worker that gets `shared` from its parent."""
        self._shared = shared
        self._phase = Phase.SERVE
        self._idle_checks = self._signal_checks = self._free_checks = 0
        self._connections = Connections(shared.port, shared.max_connections)
        #: The application, once it is loaded.
        self.application: Flask | None = None

    def run(self) -> None:
        """Check until the parent is gone, then kill this worker.

        Orphans would go on answering beside the next server: they share
        the port by SO_REUSEPORT.
        """
        parent = multiprocessing.parent_process()
        while parent is not None and os.getppid() == parent.pid:
            time.sleep(WATCH_INTERVAL_SECONDS)
            try:
                self._follow()
                self._connections.check()
            except Exception:
                _log.exception("the watch over the connections failed")
        os.kill(os.getpid(), signal.SIGKILL)

    def _follow(self) -> None:
        """Do what the parent wants: drain, or end.

        A signal that only this worker got ends it too; the parent starts
        another one.
        """
        wanted = self._shared.phase.value
        if wanted == Phase.SERVE and signal.SIGTERM in signal.sigpending():
            self._signal_checks += 1
            if self._signal_checks > SIGNAL_CHECKS_BEFORE_END:
                wanted = Phase.END
        if self._phase < Phase.DRAIN <= wanted and self.application:
            self._phase = Phase.DRAIN
            drain(self.application)
        if wanted == Phase.END:
            if self._phase < Phase.END:
                self._end()
            self._exit_if_done()

    def _end(self) -> None:
        """Let granian end this worker, if it serves already.

        The signals are blocked here, so its handler is called instead.
        """
        handler = signal.getsignal(signal.SIGTERM)
        if callable(handler):
            self._phase = Phase.END
            handler(signal.SIGTERM, None)

    def _exit_if_done(self) -> None:
        """End this worker once it has no connection left.

        granian should do that. On a busy machine it sometimes starts to
        wait for the last connection after that was closed; then the service
        would wait for the worker until it kills it. Requests in progress
        are waited for; those that have not arrived as a whole are not.
        """
        self._free_checks = 0 if is_serving() else self._free_checks + 1
        if self._free_checks >= IDLE_CHECKS_BEFORE_EXIT:
            self._connections.close_unfinished()
        is_idle = not is_open(self._shared.port)
        self._idle_checks = self._idle_checks + 1 if is_idle else 0
        if self._idle_checks >= IDLE_CHECKS_BEFORE_EXIT and not is_exiting():
            audit_writer().close()
            os._exit(0)


def is_serving() -> bool:
    """Return True if a thread that Python did not start runs Python code.

    These are the threads of granian, which do so for a request alone.
    """
    started = {
        each.ident
        for each in threading.enumerate()
        if not isinstance(each, threading._DummyThread)
    }
    return not started.issuperset(sys._current_frames())


def drain(application: Flask) -> None:
    """Answer that the service is not ready, and close each connection.

    A connection is closed after its next response, so that no client sends
    a request on it at the moment the server ends.
    """
    index.draining.set()
    application.wsgi_app = _closing(  # type: ignore[method-assign]
        application.wsgi_app
    )


def _closing(application: WSGIApplication) -> WSGIApplication:
    """Return `application`, with connections closed after responses."""

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Respond as the application does, and close the connection."""

        def starting(
            status: str, headers: list[tuple[str, str]], failed: Any = None
        ) -> Any:
            """Start the response with the order to close."""
            return start_response(
                status, [*headers, ("Connection", "close")], failed
            )

        return application(environ, starting)

    return answering

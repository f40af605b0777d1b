#!/usr/bin/env python3
"""The start of a worker process, and the thread that ends it.

No worker outlives its parent, and a worker that has answered all its
requests does not delay the end of the service.
"""

import faulthandler
import multiprocessing
import os
import select
import signal
import socket
import stat
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from multiprocessing.util import is_exiting
from typing import Any

from werkzeug.utils import import_string

from vestibule.audit.log import EventType, log
from vestibule.audit.writer import audit_writer
from vestibule.core import logging

#: Seconds between two checks that the parent still runs.
WATCH_INTERVAL_SECONDS = 0.1
#: Checks in a row that find no open connection, before a worker that got
#: a signal to end is ended.
IDLE_CHECKS_BEFORE_EXIT = 10
_DESCRIPTORS = "/proc/self/fd"


def load_application(port: int, target: str, exits: Iterable[str] = ()) -> Any:
    """Return the application `target`; runs in each worker as it starts.

    `port` is the one that the worker listens on. `exits` are the causes by
    which workers ended unexpectedly: this one writes them to the security
    log.

    A signal that crashes the worker writes the stack of each thread to
    standard error.

    Ctrl-C in a terminal reaches all processes of the service. Only the
    parent acts on it: a worker that gets two signals may never end.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if sys.stderr is not None:
        faulthandler.enable()
    logging.configure_logging()
    # granian handles the signals later; this pipe shows that one came.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(
        target=partial(_watch, reader, port), name="end-watch", daemon=True
    ).start()
    application = import_string(target)
    for cause in exits:
        log(EventType.WORKER_EXITED, reason=cause)
    return application


def _watch(reader: int, port: int) -> None:
    """Kill this worker when its parent is gone; end it when it is done.

    Orphans would go on answering beside the next server: they share the
    port by SO_REUSEPORT. A worker is done when it got a signal to end and
    has no connection left on `port`. granian ends it then; but sometimes,
    on a busy machine, it begins to wait for that after it happened, and
    the service would wait for the worker until it is killed.
    """
    parent = multiprocessing.parent_process()
    idle_checks, is_ending = 0, False
    while parent is not None and os.getppid() == parent.pid:
        if select.select(
            [] if is_ending else [reader], [], [], WATCH_INTERVAL_SECONDS
        )[0]:
            is_ending = True
        elif is_ending:
            idle_checks = 0 if is_open(port) else idle_checks + 1
        if idle_checks == IDLE_CHECKS_BEFORE_EXIT and not is_exiting():
            audit_writer().close()
            os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def is_open(port: int) -> bool:
    """Return True if this process listens or has a connection on `port`.

    Outside Linux that cannot be seen, so the answer is True.
    """
    try:
        names = os.listdir(_DESCRIPTORS)
    except OSError:
        return True
    return any(_is_used(int(name), port) for name in names)


def _is_used(number: int, port: int) -> bool:
    """Return True if a file descriptor listens or has a peer on `port`.

    granian's parent leaves its workers a socket that does neither.
    """
    with suppress(OSError):
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            with socket.socket(fileno=os.dup(number)) as one:
                return (
                    one.family in (socket.AF_INET, socket.AF_INET6)
                    and one.getsockname()[1] == port
                    and bool(
                        one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                        or one.getpeername()
                    )
                )
    return False

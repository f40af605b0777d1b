#!/usr/bin/env python3
"""The server: granian with worker processes of several threads each.

Its law: it starts completely or says why not and ends; it says that it
runs when the first request was answered; a worker that dies is replaced.
"""

import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any, NoReturn

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.common import AbstractServer
from granian.server.mp import MPServer, WorkerProcess

from vestibule.accounts.first_admin import (
    SETUP_CODE_LIFETIME,
    create_setup_code,
)
from vestibule.core import clock, env_file, settings
from vestibule.core import logging as logs
from vestibule.core.errors import ConfigurationError, VestibuleError
from vestibule.db import engine
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.metrics import multiprocess, worker_exits
from vestibule.server import worker
from vestibule.server.checks import check_settings, startup_warnings
from vestibule.web.routes import has_pages

_log = logging.getLogger(__name__)

#: Seconds in which an earlier server may still give up the port.
PORT_WAIT_SECONDS = 2.0
#: Seconds that requests in flight have to end after SIGTERM.
SHUTDOWN_TIMEOUT_SECONDS = 30
#: Seconds after which an idle thread of a worker ends: 30 years, so never.
#: The end of a thread that Python did not start crashes Python before 3.12.4
#: (docs/decisions/0014-threads-that-end.md).
THREADS_IDLE_TIMEOUT = 30 * 365 * 24 * 3600
_TARGET = "vestibule.api.app:app"
#: What ends the service.
_ENDS = (signal.SIGTERM, signal.SIGINT)
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main() -> NoReturn:
    """Serve until a signal ends the server; exit with 1 if it cannot start."""
    try:
        env_file.load()
        serve(mechanism_for(settings.AUTH_TYPE.read()))
    except VestibuleError as error:
        sys.exit(f"vestibule: {error}")
    sys.exit(0)


def serve(mechanism: type[Auth] | None) -> None:
    """Serve the application until SIGTERM or SIGINT.

    Raise `VestibuleError` if the settings, the database or the port do
    not allow it.
    """
    logs.configure_logging()
    host, port = settings.API_HOST.read(), settings.API_PORT.read()
    check_settings(mechanism)
    address = _address_of(host)
    _check_database()
    for line in startup_warnings(mechanism):
        _log.warning(line)
    _check_port(address, port)
    invitation = _invitation(mechanism, host, port)
    # Workers are forked: they open connections of their own.
    engine.close()
    _let_signals_wait_for_forks()
    with (
        multiprocess.shared_counts(settings.WORKERS.read()),
        worker_exits.counted(),
    ):
        _keep_running(address, port, invitation)


def _keep_running(address: str, port: int, invitation: str) -> None:
    """Run a server, and another one after each that fails."""
    server = _server_on(address, port)
    if _run(server, first=True, more=invitation):
        return
    while True:
        _log.error("a worker died again at once; starting anew")
        before, server = server, _server_on(address, port)
        server.on_startup(partial(_pass_signal_on, before, server))
        if _run(server, first=False):
            return


class _Server(MPServer):
    """Run granian, and report each worker that ends unexpectedly."""

    #: Causes of exits that no worker has written to the security log yet.
    #: A server that is started anew has those of the one before it.
    exits: deque[str] = deque()

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        """Return a worker that reports the exits seen until now."""
        exits = [self.exits.popleft() for _ in range(len(self.exits))]
        worker: WorkerProcess = super()._spawn_worker(
            idx, target, partial(callback_loader, exits=exits)
        )
        worker._watcher = partial(self._watch, worker)  # type: ignore
        return worker

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait for the end of `worker`, then let granian replace it."""
        worker.inner.join()
        code = worker.inner.exitcode
        if code and not (worker.interrupt_by_parent or self.interrupt_signal):
            self._report(worker.idx + 1, worker.inner.pid, code)
        WorkerProcess._watcher(worker)  # type: ignore[no-untyped-call]

    def _report(self, number: int, pid: int, code: int) -> None:
        """Log and count the end of a worker, unless it was asked to end."""
        cause = worker_exits.cause_of(code)
        if cause is None:
            return
        _log.error(
            "worker-%d (pid %d) ended unexpectedly by %s at %s",
            number,
            pid,
            cause,
            clock.now().isoformat(timespec="seconds"),
        )
        worker_exits.add()
        self.exits.append(cause)


def _server_on(host: str, port: int) -> AbstractServer[Any]:
    """Return a server that is to listen on `host` and `port`."""
    server = _Server(
        _TARGET,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=settings.WORKERS.read(),
        blocking_threads=settings.BLOCKING_THREADS.read(),
        respawn_failed_workers=True,
        workers_kill_timeout=SHUTDOWN_TIMEOUT_SECONDS,
        log_level=LogLevels.error,
    )
    # As an argument, granian takes 600 seconds at most. It checks that once,
    # before its hooks run; the workers are given what stands there then.
    server.on_startup(partial(_keep_threads, server))
    return server


def _keep_threads(server: AbstractServer[Any]) -> None:
    """Let the idle threads of a worker live as long as the worker does."""
    server.blocking_threads_idle_timeout = THREADS_IDLE_TIMEOUT


def _invitation(mechanism: type[Auth] | None, host: str, port: int) -> str:
    """Return what leads to the first admin, where there is nobody yet.

    It is printed and not logged: logs are kept, and the code is a secret.
    """
    offer = create_setup_code() if has_pages(mechanism) else None
    if offer is None:
        return ""
    minutes = int(SETUP_CODE_LIFETIME.total_seconds()) // 60
    return f"""\
 * There is no user yet. Make the first admin at
     {_address_at(_ANY_ADDRESS.get(host, host), port)}setup
   with this code, which works once, within {minutes} minutes:
     {offer.code}
"""


def _address_at(host: str, port: int) -> str:
    """Return the address of what listens on `host` and `port`."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/"


def _run(server: AbstractServer[Any], first: bool, more: str = "") -> bool:
    """Run the server; tell whether it ended because it was told to.

    When it runs it says so, and `more`.

    Workers that cannot even start end it, as does one that dies soon
    after another. The first needs a person, the second does not: so only
    the `first` run gives up, if nothing was answered in it.
    """
    announcement = Announcement(server.bind_addr, server.bind_port, more)
    announcement.start()
    try:
        server.serve(
            target_loader=partial(worker.load_application, server.bind_port)
        )
    except SystemExit as end:
        if server.interrupt_signal:
            # Told to end while a worker was dead: its code says failure.
            return True
        if first and end.code and not announcement.made.is_set():
            raise VestibuleError("the workers cannot start") from None
        return not end.code
    finally:
        announcement.withdrawn.set()
    return True


def _pass_signal_on(
    before: AbstractServer[Any], server: AbstractServer[Any]
) -> None:
    """End `server` too if the one `before` it was told to end.

    Until a server listens to signals, the one before it gets them.
    """
    if before.interrupt_signal:
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]


def _let_signals_wait_for_forks() -> None:
    """Let a signal end a worker that has not begun to serve.

    It would inherit its parent's handlers and swallow the signal; its
    parent would wait for it until `DRAIN_TIMEOUT`. So what comes while it
    is forked waits until the handlers are gone.
    """
    mask = signal.pthread_sigmask
    os.register_at_fork(
        before=partial(mask, signal.SIG_BLOCK, _ENDS),
        after_in_parent=partial(mask, signal.SIG_UNBLOCK, _ENDS),
        after_in_child=_default_signals,
    )


def _default_signals() -> None:
    """Let signals do in a new worker what they do in any process."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


class Announcement(threading.Thread):
    """Says that the server runs, as soon as it has answered a request."""

    def __init__(self, host: str, port: int, more: str = "") -> None:
        """Prepare to ask the server on `host` and `port` for its status.

        `more` is what there is to say beside that it runs.
        """
        super().__init__(name="announcement", daemon=True)
        self._host = host
        self._port = port
        self._more = more
        self.made = threading.Event()
        self.withdrawn = threading.Event()

    def run(self) -> None:
        """Ask until there is an answer; then print the line once."""
        while not self._answers():
            if self.withdrawn.wait(0.02):
                return
        self.made.set()
        said = f" * Running on {_address_at(self._host, self._port)}\n"
        print(said + self._more, end="", flush=True)

    def _answers(self) -> bool:
        """Tell whether the server answers a request now."""
        host = _ANY_ADDRESS.get(self._host, self._host)
        connection = HTTPConnection(host, self._port, timeout=5)
        try:
            connection.request("GET", "/api/v1/status")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _check_database() -> None:
    """Raise `BadSetting` unless the database can be worked with."""
    try:
        engine.database()
    except ConfigurationError:
        raise
    except VestibuleError as error:
        raise ConfigurationError("DATABASE_URL", str(error)) from error


def _address_of(host: str) -> str:
    """Return the IP address to listen on for `host`, perhaps a name.

    Raise `BadSetting` if there is none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigurationError(
            "API_HOST", f"must be an address of this machine, not {host!r}"
        ) from None
    return str(found[0][4][0])


def _check_port(host: str, port: int) -> None:
    """Raise `BadSetting` unless the port can be had.

    granian binds with SO_REUSEPORT, and would silently share a port with
    another server; so a plain bind is tried first. A server that ends at
    this moment gets a little time to do so.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    give_up = clock.monotonic() + PORT_WAIT_SECONDS
    while True:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as error:
                failure = error
        if failure.errno != errno.EADDRINUSE:
            raise ConfigurationError(
                "API_HOST, API_PORT",
                f"cannot listen on {host}:{port}: {failure.strerror}",
            )
        if clock.monotonic() > give_up:
            raise ConfigurationError(
                "API_PORT", f"port {port} is already in use"
            )
        time.sleep(0.05)

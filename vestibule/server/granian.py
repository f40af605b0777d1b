#!/usr/bin/env python3
"""The server: granian with worker processes of several threads each.

It starts completely, or reports why it cannot and exits. When the first
request is answered it prints that it runs. A worker that dies is replaced.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NoReturn

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.common import AbstractServer
from granian.server.mp import MPServer, WorkerProcess

from vestibule.accounts.users import SETUP_CODE_LIFETIME, create_setup_code
from vestibule.checks.startup import check_settings, log_startup_warnings
from vestibule.core import clock, env_file, page_settings, settings
from vestibule.core import logging as logs
from vestibule.core.errors import ConfigurationError, VestibuleError
from vestibule.core.setting_types import set_missing
from vestibule.core.threads import Wakeups, shared_number
from vestibule.db import engine, session_queries
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.metrics import multiprocess
from vestibule.server.connections import (
    address_of,
    allow_connections,
    check_port,
)
from vestibule.server.worker import (
    END_SIGNALS,
    Phase,
    Shared,
    load_application,
)
from vestibule.web.routes import has_pages

_log = logging.getLogger(__name__)

#: Seconds that requests in progress have to finish after SIGTERM.
SHUTDOWN_TIMEOUT_SECONDS = 30
#: Seconds after which an idle thread of a worker ends: 30 years, so never.
#: The end of a thread that Python did not start crashes Python before 3.12.4
#: (docs/decisions/0014-threads-that-end.md).
THREADS_IDLE_TIMEOUT = 30 * 365 * 24 * 3600
_TARGET = "vestibule.api.app:app"
#: Seconds within which a repeated signal counts once: `timeout` and some
#: service managers send it to the process and to its group.
REPEAT_SECONDS = 0.05
#: The response to `/healthz`, which granian sends without a Python thread.
_HEALTH_FILE = Path(__file__).parent / "healthz" / "index.json"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main(profile: str | None = None) -> NoReturn:
    """Serve until a signal ends the server; exit with 1 if it cannot start.

    `profile` is the security profile if no setting chooses one.
    """
    try:
        env_file.load()
        if profile is not None:
            set_missing({"SECURITY_PROFILE": profile})
        serve(mechanism_for(settings.AUTH_TYPE.read()))
    except VestibuleError as error:
        sys.exit(f"vestibule: {error}")
    sys.exit(0)


def serve(mechanism: type[Auth] | None) -> None:
    """Serve the application until SIGTERM, SIGINT or SIGHUP.

    Raise `VestibuleError` if the settings, the database or the port do
    not allow it.
    """
    logs.configure_logging()
    host, port = settings.API_HOST.read(), settings.API_PORT.read()
    check_settings(mechanism)
    address = address_of(host)
    _check_database()
    log_startup_warnings()
    check_port(address, port)
    invitation = _setup_invitation(mechanism, host, port)
    # Workers are forked: each opens connections of its own.
    engine.close()
    _hold_signals_during_forks()
    with (
        multiprocess.shared_counts(settings.WORKERS.read()) as counts,
        multiprocess.counting_exits() as exits,
    ):
        shared = Shared(
            port, allow_connections(), shared_number(), exits, counts
        )
        _keep_running(address, shared, invitation)


def _keep_running(address: str, shared: Shared, invitation: str) -> None:
    """Run a server, and start a new one whenever it fails."""
    server = _server_on(address, shared)
    if _run(server, first=True, more=invitation):
        return
    while True:
        _log.error("a worker died again at once; restarting the server")
        # The workers of the server before it were told to end.
        shared = shared._replace(phase=shared_number())
        before, server = server, _server_on(address, shared)
        server.on_startup(partial(_forward_signal, before, server))
        if _run(server, first=False):
            return


class _Server(MPServer):
    """Run granian, and report each worker that ends unexpectedly."""

    #: Causes of exits that no worker has written to the security log yet.
    #: A restarted server takes over those of the server before it.
    exits: deque[str] = deque()
    #: What the workers get.
    shared: Shared
    #: Returns True once a request was answered.
    has_served: Callable[[], bool]
    #: The first signal to end, and its time by the monotonic clock.
    _signal: tuple[int | None, float] | None = None
    _is_forced = False

    def signal_handler_interrupt(
        self, number: int | None = None, frame: object = None
    ) -> None:
        """End the service; a second signal ends it without any wait."""
        now = clock.monotonic()
        if self._signal and now - self._signal[1] > REPEAT_SECONDS:
            self._is_forced = True
            for one in self.wrks:
                one.kill()  # type: ignore[no-untyped-call]
        if self._signal is None:
            self._signal = number, now
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def signal_handler_reload(
        self, number: int | None = None, frame: object = None
    ) -> None:
        """End the service, as its terminal was closed; granian reloads."""
        self.signal_handler_interrupt(number)

    def _respawn_workers(self, *given: Any, **more: Any) -> None:
        """Replace dead workers, unless a signal came meanwhile."""
        if not self.interrupt_signal:
            respawn: Any = super()._respawn_workers
            respawn(*given, **more)

    def shutdown(self, exit_code: int = 0) -> None:
        """End the workers, after a while in which they drain."""
        if self._signal and self._signal[0] == signal.SIGTERM:
            self._drain()
        self.shared.phase.value = Phase.END
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def _drain(self) -> None:
        """Let the workers serve, while `/readyz` reports that they end."""
        seconds = settings.DRAIN_DELAY.read()
        if not seconds or not self.has_served():
            return
        _log.info("draining for %d seconds", seconds)
        self.shared.phase.value = Phase.DRAIN
        end = clock.monotonic() + seconds
        while clock.monotonic() < end and not self._is_forced:
            time.sleep(0.05)

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        """Return a worker that records the exits seen until now."""
        exits = [self.exits.popleft() for _ in range(len(self.exits))]
        worker: WorkerProcess = super()._spawn_worker(
            idx, target, partial(callback_loader, exits=exits)
        )
        worker._watcher = partial(  # type: ignore[method-assign]
            self._watch, worker
        )
        return worker

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait for the end of `worker`, then let granian replace it."""
        worker.inner.join()
        code = worker.inner.exitcode
        if code and not (worker.interrupt_by_parent or self.interrupt_signal):
            self._report(worker.idx + 1, worker.inner.pid, code)
        WorkerProcess._watcher(worker)  # type: ignore[no-untyped-call]

    def _report(self, number: int, pid: int, code: int) -> None:
        """Log and count an unexpected exit of a worker."""
        cause = multiprocess.exit_cause(code)
        if cause is None:
            return
        _log.error(
            "worker-%d (pid %d) ended unexpectedly by %s at %s",
            number,
            pid,
            cause,
            clock.now().isoformat(timespec="seconds"),
        )
        multiprocess.count_exit()
        self.exits.append(cause)


def _server_on(host: str, shared: Shared) -> _Server:
    """Return a server that will listen on `host` and the shared port."""
    server = _Server(
        _TARGET,
        address=host,
        port=shared.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=settings.WORKERS.read(),
        blocking_threads=settings.BLOCKING_THREADS.read(),
        respawn_failed_workers=True,
        workers_kill_timeout=SHUTDOWN_TIMEOUT_SECONDS,
        backpressure=shared.max_connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=settings.KEEPALIVE_TIMEOUT.read() * 1000
        ),
        log_level=LogLevels.error,
    )
    server.shared = shared
    server.main_loop_interrupt = Wakeups()  # type: ignore[assignment]
    # granian serves the file itself, so busy threads, a frozen database and
    # a full disk do not delay the answer.
    health_folder = str(_HEALTH_FILE.parent.resolve())
    server.static_path = (
        [("/healthz", health_folder)],
        _HEALTH_FILE.name,
        "0, no-store",
    )  # type: ignore[assignment]
    # granian refuses an argument of more than 600 seconds. It checks that
    # before its hooks run, and the workers get the value that this one sets.
    server.on_startup(partial(_keep_threads, server))
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # The service was started by nohup.
        server.on_startup(
            partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
        )
    return server


def _keep_threads(server: AbstractServer[Any]) -> None:
    """Keep the idle threads of a worker for as long as it runs."""
    server.blocking_threads_idle_timeout = THREADS_IDLE_TIMEOUT


def _setup_invitation(
    mechanism: type[Auth] | None, host: str, port: int
) -> str:
    """Return how to make the first admin; empty if there are users.

    It is printed and not logged: logs are kept, and the code is a secret.
    """
    setup = create_setup_code() if has_pages(mechanism) else None
    if setup is None:
        return ""
    address = page_settings.PUBLIC_URL.read()
    if address is None:
        address = _address_at(_ANY_ADDRESS.get(host, host), port).rstrip("/")
        address += settings.BASE_PATH.read()
    minutes = int(SETUP_CODE_LIFETIME.total_seconds()) // 60
    # The fragment: browsers send it to no server, so no log has the code.
    return f"""\
 * There is no user yet. Make the first admin with this link, which works
   once, within {minutes} minutes:
     {address.rstrip("/")}/setup#code={setup.code}
"""


def _address_at(host: str, port: int) -> str:
    """Return the address of what listens on `host` and `port`."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/"


def _run(server: _Server, first: bool, more: str = "") -> bool:
    """Run the server; return True if a signal ended it.

    Once it runs it prints that, and `more`.

    The server also ends when its workers cannot start, or when one dies
    soon after another. In the first case the operator has to act; in the
    second a restart is enough. So only the `first` run gives up, and only
    if it answered no request.
    """
    announcement = Announcement(server.bind_addr, server.bind_port, more)
    announcement.start()
    server.has_served = announcement.made.is_set
    try:
        server.serve(target_loader=partial(load_application, server.shared))
    except SystemExit as end:
        if server.interrupt_signal:
            # The exit code is that of a dead worker, but a signal ended the
            # server.
            return True
        if first and end.code and not announcement.made.is_set():
            raise VestibuleError("the workers cannot start") from None
        return not end.code
    finally:
        announcement.withdrawn.set()
    return True


def _forward_signal(
    before: AbstractServer[Any], server: AbstractServer[Any]
) -> None:
    """End `server` too if a signal came for the one `before` it.

    Until a server handles signals, the one before it gets them.
    """
    if before.interrupt_signal:
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]


def _hold_signals_during_forks() -> None:
    """Let a signal end a worker that does not serve yet.

    A worker inherits its parent's handlers and would swallow the signal;
    the parent would wait `SHUTDOWN_TIMEOUT_SECONDS` for it. So signals are
    blocked during a fork, until the worker has removed the handlers.
    """
    mask = signal.pthread_sigmask
    os.register_at_fork(
        before=partial(mask, signal.SIG_BLOCK, END_SIGNALS),
        after_in_parent=partial(mask, signal.SIG_UNBLOCK, END_SIGNALS),
        after_in_child=_default_signals,
    )


def _default_signals() -> None:
    """Restore the default handling of signals in a new worker."""
    for number in END_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, END_SIGNALS)


class Announcement(threading.Thread):
    """Prints that the server runs once it has answered a request."""

    def __init__(self, host: str, port: int, more: str = "") -> None:
        """Prepare to request the status from `host` and `port`.

        `more` is printed after the line that says so.
        """
        super().__init__(name="announcement", daemon=True)
        self._host = host
        self._port = port
        self._more = more
        self.made = threading.Event()
        self.withdrawn = threading.Event()

    def run(self) -> None:
        """Send requests until one is answered; then print the line."""
        while not self._is_answering():
            if self.withdrawn.wait(0.02):
                return
        self.made.set()
        line = f" * Running on {_address_at(self._host, self._port)}\n"
        print(line + self._more, end="", flush=True)

    def _is_answering(self) -> bool:
        """Return True if the server answers a request."""
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
    """Raise `ConfigurationError` unless the database can be used."""
    try:
        engine.database().set_journal_mode()
        session_queries.store_rules(session_queries.current_rules())
    except ConfigurationError:
        raise
    except VestibuleError as error:
        raise ConfigurationError("DATABASE_URL", str(error)) from error

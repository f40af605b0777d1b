#!/usr/bin/env python3
"""Signals to the whole process group, as Ctrl-C in a terminal sends them."""

import os
import signal
import threading

import pytest
from granian.constants import Interfaces

from tests.conftest import Serve
from tests.serving import DB_SESSIONS
from vestibule.server.granian import _Server


@pytest.mark.parametrize("attempt", range(2))
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_all_processes_ends_server(
    serve: Serve, ending: signal.Signals, attempt: int
) -> None:
    """A signal to workers and parent ends the server like one to the parent.
    The order of events is random, so the test runs twice.
    """
    server = serve(**DB_SESSIONS)
    for pid in (*server.workers(), server.process.pid):
        os.kill(pid, ending)
    assert server.process.wait(10) == 0
    assert server.stop() == 0


def test_signal_while_a_dead_worker_is_noticed_ends_server() -> None:
    """A closed terminal ends a worker and its parent at once.

    granian clears its event after it has looked for signals.
    """
    server = _Server("api.v1.app", interface=Interfaces.WSGI)

    class LateSignal(threading.Event):
        """An event before whose clearing the signal comes."""

        def clear(self) -> None:
            """Send the signal, and forget it as granian does."""
            server.signal_handler_reload(signal.SIGHUP)
            super().clear()

    server.main_loop_interrupt = LateSignal()
    server.main_loop_interrupt.set()
    server.interrupt_children.append(0)
    server.respawn_failed_workers = True
    loop = threading.Thread(
        target=server._serve_loop, args=(None, None), daemon=True
    )
    loop.start()
    loop.join(20)
    assert not loop.is_alive()

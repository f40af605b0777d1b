#!/usr/bin/env python3
"""Signals to the whole process group, as Ctrl-C in a terminal sends them."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from granian.constants import Interfaces

from tests.conftest import Serve
from tests.serving import DB_SESSIONS
from vestibule.core.threads import Wakeups
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

    class LateSignal(Wakeups):
        """Wakeups before whose clearing the signal comes."""

        def clear(self) -> None:
            """Send the signal, and clear as granian does."""
            server.signal_handler_reload(signal.SIGHUP)
            super().clear()

    server.main_loop_interrupt = LateSignal()  # type: ignore[assignment]
    server.main_loop_interrupt.set()
    server.interrupt_children.append(0)
    server.respawn_failed_workers = True
    loop = threading.Thread(
        target=server._serve_loop, args=(None, None), daemon=True
    )
    loop.start()
    loop.join(20)
    assert not loop.is_alive()


def test_signal_during_the_handler_of_another_is_handled() -> None:
    """The end of a terminal sends two; an event would wait for itself."""
    wakeups = Wakeups()
    is_nested = False

    def send_signal(frame: FrameType, event: str, _: object) -> Any:
        """Call the handler again at each line of the first call."""
        nonlocal is_nested
        if frame.f_code is Wakeups.set.__code__ and not is_nested:
            is_nested = True
            wakeups.set()
            is_nested = False
        return send_signal

    def handle_signal() -> None:
        """Do what the handler does."""
        sys.settrace(send_signal)
        wakeups.set()

    main = threading.Thread(target=handle_signal, daemon=True)
    main.start()
    main.join(20)
    assert not main.is_alive()
    for _ in range(2):
        wakeups.wait()

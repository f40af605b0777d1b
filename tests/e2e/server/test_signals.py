#!/usr/bin/env python3
"""Signals to the whole process group, as Ctrl-C in a terminal sends them."""

import os
import signal

import pytest

from tests.conftest import Serve
from tests.serving import DB_SESSIONS


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

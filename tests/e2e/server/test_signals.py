#!/usr/bin/env python3
"""Ctrl-C in a terminal, which reaches all processes of the service."""

import os
import signal

import pytest

from tests.conftest import Serve
from tests.serving import COOKIE


@pytest.mark.parametrize("attempt", range(2))
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once(
    serve: Serve, ending: signal.Signals, attempt: int
) -> None:
    """A signal to the workers and their parent ends them, as one to the
    parent does; some attempts, for the order of events is left to luck.
    """
    server = serve(AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE)
    for pid in (*server.workers(), server.process.pid):
        os.kill(pid, ending)
    assert server.process.wait(10) == 0
    assert server.stop() == 0

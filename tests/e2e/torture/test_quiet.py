#!/usr/bin/env python3
"""Repeated bursts of requests and pauses end no worker."""

import os
import random
from pathlib import Path

import pytest

from tests.e2e.idle.quiet import SHORT_LIVED_THREADS, QuietServer
from tests.e2e.torture.seed import random_seed

#: Seconds that the bursts and pauses take together.
LENGTH = int(os.environ.get("TORTURE_SECONDS", "3600"))
#: Seconds of the longest pause: more than granian's own 30.
MAX_PAUSE = 40


@pytest.mark.torture
@pytest.mark.timeout(LENGTH + 300)
@pytest.mark.parametrize("program", [None, SHORT_LIVED_THREADS])
def test_workers_survive_bursts_and_pauses(
    tmp_path: Path, any_database: str, program: str | None
) -> None:
    """No worker exits, with long-lived and with short-lived threads."""
    choice = random.Random(random_seed())
    quiet = QuietServer(tmp_path, "session_exp_auth", any_database, 1, program)
    try:
        quiet.hold_slow_clients()
        left = float(LENGTH) / 4
        while left > 0:
            quiet.busy()
            pause = min(left, choice.choice((0.5, 5.5, 7, 31, MAX_PAUSE)))
            quiet.rest(pause)
            if pause >= 7:
                assert quiet.faults() == []
            left -= pause
        assert quiet.end() == []
    finally:
        quiet.close()

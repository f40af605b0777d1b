#!/usr/bin/env python3
"""The bare hash: how many passwords a core checks, with nothing around it.

`python -m bench.hashing SECONDS` prints a `Speed` as JSON. It hashes one
password at a time, as a server does that is pinned to one core.
"""

import json
import subprocess
import sys
import time
from typing import NamedTuple

from bench.cores import pin_server
from tests.serving import ROOT
from vestibule.core import settings
from vestibule.core.passwords import PROFILES


class Speed(NamedTuple):
    """Checks per second, and processor time of one in milliseconds."""

    rate: float
    cost: float


def speed(seconds: int) -> Speed:
    """Return how fast the bare hasher checks passwords."""
    hasher = PROFILES[settings.PASSWORD_PROFILE.read()]
    stored = hasher.hash("correct horse")
    done, begun, used = 0, time.perf_counter(), time.process_time()
    while True:
        hasher.verify(stored, "correct horse")
        done += 1
        passed = time.perf_counter() - begun
        if passed >= seconds:
            spent = time.process_time() - used
            return Speed(done / passed, spent * 1000 / done)


def measured_apart(seconds: int) -> Speed:
    """Return the speed of a process of its own on the serving core."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.hashing", str(seconds)],
        cwd=ROOT,
        preexec_fn=pin_server,
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
    )
    return Speed(*json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(speed(int(sys.argv[1]))))

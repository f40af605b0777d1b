#!/usr/bin/env python3
"""The bare hash: how many passwords a core checks, with nothing around it.

`python -m bench.hashing SECONDS` prints checks per second. It hashes one
password at a time, as a server does that is pinned to one core.
"""

import subprocess
import sys
import time

from bench.cores import pin_server
from tests.serving import ROOT
from vestibule import settings
from vestibule.passwords import PROFILES


def rate(seconds: int) -> float:
    """Return how many checks a second the bare hasher does."""
    hasher = PROFILES[settings.PASSWORD_PROFILE.read()]
    stored = hasher.hash("correct horse")
    done, begun = 0, time.perf_counter()
    while True:
        hasher.verify(stored, "correct horse")
        done += 1
        passed = time.perf_counter() - begun
        if passed >= seconds:
            return done / passed


def measured_apart(seconds: int) -> float:
    """Return the rate of a process of its own on the serving core."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.hashing", str(seconds)],
        cwd=ROOT,
        preexec_fn=pin_server,
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
    )
    return float(done.stdout)


if __name__ == "__main__":
    print(rate(int(sys.argv[1])))

#!/usr/bin/env python3
"""Free ports for the tests' servers, each given to one test only."""

import random
import socket

#: Below the kernel's range for outgoing connections, which could take a
#: port between its choice and its use. Chromium refuses port 10080.
_FIRST, _LAST = 10_100, 32_000
#: The claimed ports; the kernel releases them when the process ends.
_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a free TCP port of the loopback interface.

    Test processes run in parallel, and two servers that start at the same
    moment could share a port by SO_REUSEPORT. Therefore the process claims the
    port with an abstract socket name, which one process at a time can bind.
    """
    for port in random.SystemRandom().sample(range(_FIRST, _LAST), 1000):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0vestibule-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise RuntimeError("there is no free port")

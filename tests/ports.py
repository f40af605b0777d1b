#!/usr/bin/env python3
"""Ports for the servers of the tests, each given to one test only."""

import random
import socket

#: Below the ports that the kernel gives to outgoing connections: one of
#: those could take a port between its choice and its use. Chromium opens
#: none at 10080.
_FIRST, _LAST = 10_100, 32_000
#: What this process was given; the claims end with it, however it ends.
_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a TCP port of the loopback interface for this process alone.

    Test processes run beside each other, and servers share a port by
    SO_REUSEPORT when they are started at the same moment: so the port is
    claimed, by a name that one process at a time can have.
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

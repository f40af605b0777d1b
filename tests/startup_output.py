#!/usr/bin/env python3
"""The setup code that a server prints at its first start."""

import re
import time

from tests.serving import Server

_LINK = re.compile(r" {5}(http://\S+)#code=([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})\n")
#: Maximum seconds until the lines after the start are printed.
_MAX_WAIT_SECONDS = 10


def printed_setup_code(server: Server) -> tuple[str, str]:
    """Return the setup address and the code that a server printed."""
    give_up = time.monotonic() + _MAX_WAIT_SECONDS
    while time.monotonic() < give_up:
        lines = list(server.output)
        links = list(filter(None, map(_LINK.fullmatch, lines)))
        if links:
            return links[-1][1], links[-1][2]
        time.sleep(0.02)
    raise AssertionError("no code:\n" + "".join(server.output))

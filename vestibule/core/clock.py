#!/usr/bin/env python3
"""The only module that reads the clock.

Every other module gets a time as an argument or calls this one, so a test
controls time by replacing these two functions.
"""

import time
from datetime import datetime, timezone


def now() -> datetime:
    """Return the current time as an aware `datetime` in UTC."""
    return datetime.now(timezone.utc)


def monotonic() -> float:
    """Return seconds that never go back, for measuring durations."""
    return time.monotonic()

#!/usr/bin/env python3
"""How long passwords take to be hashed, summed until somebody asks.

Its law: it holds two numbers, and whoever takes them leaves none.
"""

import threading
from typing import NamedTuple


class Taken(NamedTuple):
    """How many hashes, and how many microseconds all of them took."""

    number: int
    microseconds: int


class Pace:
    """Both sums of this process."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._taken = Taken(0, 0)

    def note(self, seconds: float) -> None:
        """Count a hash that took so long."""
        with self._lock:
            number, before = self._taken
            self._taken = Taken(number + 1, before + round(seconds * 1e6))

    def take(self) -> Taken:
        """Return what was counted since this was asked last."""
        with self._lock:
            taken, self._taken = self._taken, Taken(0, 0)
            return taken


#: That of this process; a forked child goes on with its parent's, for less
#: than a minute.
pace = Pace()

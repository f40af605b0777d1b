#!/usr/bin/env python3
"""Clocks that stand still until a test moves them."""

import os
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path

import pytest

from vestibule.core import clock
from vestibule.mechanisms import session_exp_auth


class SetClock:
    """What the product reads the time from while a test is running."""

    def __init__(self) -> None:
        """Begin at a moment with microseconds, to see if they are kept."""
        self.moment = datetime(
            2026, 3, 29, 0, 30, 15, 123_457, tzinfo=timezone.utc
        )

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "SetClock":
        """Put this clock in the two places where time is read."""
        monkeypatch.setattr(clock, "now", self.now)
        monkeypatch.setattr(session_exp_auth, "datetime", self)
        return self

    def now(self, zone: tzinfo | None = None) -> datetime:
        """Return the moment that the clock shows."""
        return self.moment.astimezone(zone or timezone.utc)

    def advance(self, seconds: float) -> None:
        """Move the clock forward; backward if `seconds` is negative."""
        self.moment += timedelta(seconds=seconds)


class FileClock(SetClock):
    """A clock of several processes: what it shows is written in a file."""

    def __init__(self, file: Path) -> None:
        """Show what the file says; begin as others do if there is none."""
        self.file = file
        if not file.exists():
            super().__init__()

    @property
    def moment(self) -> datetime:
        """Return the moment that every process with this file sees."""
        return datetime.fromisoformat(self.file.read_text())

    @moment.setter
    def moment(self, moment: datetime) -> None:
        """Write the moment, so that nobody reads half of it."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(moment.isoformat())
        os.replace(fresh, self.file)

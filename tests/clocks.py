#!/usr/bin/env python3
"""Clocks that stand still until a test moves them."""

import os
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path

import pytest

from vestibule.core import clock
from vestibule.mechanisms import session_exp_auth


class SetClock:
    """A clock that replaces the product's clock in a test."""

    def __init__(self) -> None:
        """Start at a time with microseconds: tests notice lost ones."""
        self.moment = datetime(
            2026, 3, 29, 0, 30, 15, 123_457, tzinfo=timezone.utc
        )

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "SetClock":
        """Install this clock in the two places where time is read."""
        monkeypatch.setattr(clock, "now", self.now)
        monkeypatch.setattr(session_exp_auth, "datetime", self)
        return self

    def now(self, zone: tzinfo | None = None) -> datetime:
        """Return the time of the clock."""
        return self.moment.astimezone(zone or timezone.utc)

    def advance(self, seconds: float) -> None:
        """Move the clock forward; backward if `seconds` is negative."""
        self.moment += timedelta(seconds=seconds)


class FileClock(SetClock):
    """A clock of several processes, whose time is in a file."""

    def __init__(self, file: Path) -> None:
        """Use the time in the file; start as usual if there is none."""
        self.file = file
        if not file.exists():
            super().__init__()

    @property
    def moment(self) -> datetime:
        """Return the time that every process with this file sees."""
        return datetime.fromisoformat(self.file.read_text())

    @moment.setter
    def moment(self, moment: datetime) -> None:
        """Replace the file, so that no process reads half of a time."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(moment.isoformat())
        os.replace(fresh, self.file)

#!/usr/bin/env python3
"""A clock that stands still until a test moves it."""

from datetime import datetime, timedelta, timezone, tzinfo

import pytest

from api.v1.auth import session_exp_auth
from vestibule import clock


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

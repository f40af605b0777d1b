#!/usr/bin/env python3
"""How long a session lives: pure functions of record, limits and now.

Its law: this is the only place where a session's age is compared with
anything (OWASP ASVS 5.0, 7.3.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from vestibule.sessions.record import Record

#: The longest duration that `timedelta` can hold.
LONGEST_SECONDS = 999_999_999 * 86_400


@dataclass(frozen=True)
class Limits:
    """How long sessions may live; zero or less means for ever."""

    duration: timedelta = timedelta(0)

    @property
    def for_ever(self) -> bool:
        """Tell whether sessions never end by themselves."""
        return self.duration <= timedelta(0)


def is_live(record: Record, limits: Limits, now: datetime) -> bool:
    """Tell whether the session may still be used at the moment `now`.

    It ends after, not at, the last moment of its duration. Where there is
    a limit, a session that does not say when it began is dead.
    """
    if limits.for_ever:
        return True
    if record.created_at is None:
        return False
    # Not `created_at + duration`: the sum may lie beyond the calendar.
    return now - record.created_at <= limits.duration


def oldest_live(limits: Limits, now: datetime) -> datetime | None:
    """Return the creation moment before which all are dead, or `None`.

    The same comparison as `is_live`, turned for an index to use.
    """
    if limits.for_ever:
        return None
    try:
        return now - limits.duration
    except OverflowError:
        return None

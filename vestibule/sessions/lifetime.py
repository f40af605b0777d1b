#!/usr/bin/env python3
"""How long a session lives: pure functions of session, limits and now.

This is the only module that compares the age of a session with anything
(OWASP ASVS 5.0, 7.3.1 and 7.3.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from vestibule.sessions.session import EndReason, SessionTimes

#: The longest duration that `timedelta` can hold.
MAX_SECONDS = 999_999_999 * 86_400
#: How far the clocks of two machines may differ. If a session began later
#: than that in the future, a clock was set back.
SKEW = timedelta(seconds=10)

_NONE = timedelta(0)
_LATEST = datetime.max.replace(tzinfo=timezone.utc)


def seconds(number: int) -> timedelta:
    """Return a duration of `number` seconds, from 0 to `MAX_SECONDS`."""
    return timedelta(seconds=max(0, min(number, MAX_SECONDS)))


@dataclass(frozen=True)
class Limits:
    """How long sessions may live; zero means that there is no such limit."""

    #: From the beginning: `SESSION_DURATION`.
    duration: timedelta = _NONE
    #: From the beginning, under every mechanism: `SESSION_MAX_AGE`.
    max_age: timedelta = _NONE
    #: From the last use: `SESSION_IDLE_TIMEOUT`.
    idle: timedelta = _NONE
    #: A use is recorded once per this time: `SESSION_TOUCH_INTERVAL`.
    touch: timedelta = timedelta(seconds=60)

    @property
    def lifetime(self) -> timedelta:
        """Return the shorter of the two limits from the beginning."""
        if _NONE in (self.duration, self.max_age):
            return max(self.duration, self.max_age)
        return min(self.duration, self.max_age)

    @cached_property
    def touch_interval(self) -> timedelta | None:
        """Return the time between two records of a use; `None`: no record."""
        return min(
            (one for one in (self.touch, self.idle / 10) if one > _NONE),
            default=None,
        )

    @property
    def endless(self) -> bool:
        """Return True if sessions never expire."""
        return self.lifetime <= _NONE and self.idle <= _NONE


def expiry_reason(
    session: SessionTimes, limits: Limits, now: datetime
) -> EndReason | None:
    """Return why the session may not be used at `now`; `None` if it may.

    A session ends after, not at, the last moment of a limit. If there is
    a limit, a session without `created_at`, or with one in the future, has
    ended. Without any limit these are not checked.
    """
    if limits.endless:
        return None
    began, lifetime = session.created_at, limits.lifetime
    if began is None:
        return EndReason.EXPIRED
    # Not `began + lifetime`: the sum may lie beyond the calendar.
    age = now - began
    if age < -SKEW:
        return EndReason.CLOCK_CHANGED
    if _NONE < lifetime < age:
        return EndReason.EXPIRED
    if limits.idle > _NONE:
        quiet = now - (session.last_seen_at or began)
        if quiet > limits.idle:
            return EndReason.IDLE_TIMEOUT
    return None


def expires_at(session: SessionTimes, limits: Limits) -> datetime | None:
    """Return the time at which the session ends if it is not used."""
    began = session.created_at
    seen = session.last_seen_at or began
    ends = _after(began, limits.lifetime), _after(seen, limits.idle)
    return min(filter(None, ends), default=None)


def is_touch_due(session: SessionTimes, limits: Limits, now: datetime) -> bool:
    """Return True if a use at `now` has to be recorded.

    Recording is a write, so one use is recorded per interval, or per tenth
    of the idle timeout if that is shorter.
    """
    interval = limits.touch_interval
    if interval is None:
        return False
    seen = session.last_seen_at or session.created_at
    return seen is None or now - seen >= interval


def unchanged_until(session: SessionTimes, limits: Limits) -> datetime:
    """Return when a live session expires or its next use must be recorded.

    A cache compares the time with this one result, instead of calling
    `expiry_reason` and `is_touch_due` for each request.
    """
    seen = session.last_seen_at or session.created_at
    touch_due = _after(seen, limits.touch_interval or _NONE)
    return min(expires_at(session, limits) or _LATEST, touch_due or _LATEST)


def oldest_valid(
    limits: Limits, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the oldest valid `created_at` and `last_seen_at`.

    These are the comparisons of `expiry_reason`, turned so that a database
    index can be used. `None` if there is no such limit.
    """
    return _before(now, limits.lifetime), _before(now, limits.idle)


def _after(start: datetime | None, limit: timedelta) -> datetime | None:
    """Return `start + limit`; `None` if unlimited or out of range."""
    try:
        return start + limit if start and limit > _NONE else None
    except OverflowError:
        return None


def _before(now: datetime, limit: timedelta) -> datetime | None:
    """Return `now - limit`; `None` if unlimited or out of range."""
    try:
        return now - limit if limit > _NONE else None
    except OverflowError:
        return None

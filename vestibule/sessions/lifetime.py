#!/usr/bin/env python3
"""How long a session lives: pure functions of session, limits and now.

Its law: this is the only place where a session's age is compared with
anything (OWASP ASVS 5.0, 7.3.1 and 7.3.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from vestibule.sessions.session import EndReason, SessionTimes

#: The longest duration that `timedelta` can hold.
MAX_SECONDS = 999_999_999 * 86_400
#: How far the clocks of two machines may be apart. A session that began
#: later than that is not of this time: a clock was set back.
SKEW = timedelta(seconds=10)

_NONE = timedelta(0)
_LATEST = datetime.max.replace(tzinfo=timezone.utc)


def seconds(number: int) -> timedelta:
    """Return `number` seconds, as many as a duration can hold."""
    return timedelta(seconds=max(0, min(number, MAX_SECONDS)))


@dataclass(frozen=True)
class Limits:
    """How long sessions may live; zero means without that limit."""

    #: From the beginning: `SESSION_DURATION`.
    duration: timedelta = _NONE
    #: From the beginning, under every mechanism: `SESSION_MAX_AGE`.
    max_age: timedelta = _NONE
    #: From the last use: `SESSION_IDLE_TIMEOUT`.
    idle: timedelta = _NONE
    #: A use is noted at most once in this time: `SESSION_TOUCH_INTERVAL`.
    touch: timedelta = timedelta(seconds=60)

    @property
    def lifetime(self) -> timedelta:
        """Return the shorter one of both limits from the beginning."""
        if _NONE in (self.duration, self.max_age):
            return max(self.duration, self.max_age)
        return min(self.duration, self.max_age)

    @cached_property
    def touch_interval(self) -> timedelta | None:
        """Return in which time a use is noted once; `None`: never."""
        return min(
            (one for one in (self.touch, self.idle / 10) if one > _NONE),
            default=None,
        )

    @property
    def endless(self) -> bool:
        """Tell whether sessions never end by themselves."""
        return self.lifetime <= _NONE and self.idle <= _NONE


def expiry_reason(
    session: SessionTimes, limits: Limits, now: datetime
) -> EndReason | None:
    """Return why the session may not be used at `now`; `None` if it may.

    It ends after, not at, the last moment of a limit. Where there is one,
    a session that does not say when it began, or that began in the
    future, is dead; where there is none, nobody asks.
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
    """Return the moment at which the session ends if nobody uses it."""
    began = session.created_at
    seen = session.last_seen_at or began
    ends = _after(began, limits.lifetime), _after(seen, limits.idle)
    return min(filter(None, ends), default=None)


def is_touch_due(session: SessionTimes, limits: Limits, now: datetime) -> bool:
    """Tell whether a use at `now` is to be noted.

    Noting it is a write, so not each use is: one in the interval, or in a
    tenth of the idle timeout if that is shorter.
    """
    interval = limits.touch_interval
    if interval is None:
        return False
    seen = session.last_seen_at or session.created_at
    return seen is None or now - seen >= interval


def unchanged_until(session: SessionTimes, limits: Limits) -> datetime:
    """Return before when a live session neither ends nor is to be noted.

    The same comparisons as above, for who wants to ask them once.
    """
    seen = session.last_seen_at or session.created_at
    noted = _after(seen, limits.touch_interval or _NONE)
    return min(expires_at(session, limits) or _LATEST, noted or _LATEST)


def oldest_valid(
    limits: Limits, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return before which beginning, and which last use, all are dead.

    The same comparisons as in `why_dead`, turned for an index to use;
    `None` where there is no such limit.
    """
    return _before(now, limits.lifetime), _before(now, limits.idle)


def _after(start: datetime | None, limit: timedelta) -> datetime | None:
    """Return `start + limit`; `None` without a limit the calendar holds."""
    try:
        return start + limit if start and limit > _NONE else None
    except OverflowError:
        return None


def _before(now: datetime, limit: timedelta) -> datetime | None:
    """Return `now - limit`; `None` without a limit the calendar holds."""
    try:
        return now - limit if limit > _NONE else None
    except OverflowError:
        return None

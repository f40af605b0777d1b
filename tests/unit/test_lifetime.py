#!/usr/bin/env python3
"""Lifetimes: the rules of when a session ends, and that they agree."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from vestibule.sessions.lifetime import (
    MAX_SECONDS,
    SKEW,
    Limits,
    expires_at,
    expiry_reason,
    is_touch_due,
    oldest_valid,
    seconds,
    unchanged_until,
)
from vestibule.sessions.session import EndReason

NOW = datetime(2026, 3, 29, 2, 30, tzinfo=timezone.utc)
LAST = datetime.max.replace(tzinfo=timezone.utc)
TICK = timedelta(microseconds=1)
ZERO = timedelta(0)
MOMENTS = st.datetimes(timezones=st.just(timezone.utc))
# Short ones too, or nearly every session would be expired.
DURATIONS = st.sampled_from(
    [ZERO, TICK, timedelta(seconds=60), timedelta(days=1)]
) | st.timedeltas(min_value=ZERO)
LIMITS = st.builds(Limits, DURATIONS, DURATIONS, DURATIONS, DURATIONS)


@dataclass
class Times:
    """The moments of a session, without the rest."""

    created_at: datetime | None
    last_seen_at: datetime | None = None


@st.composite
def used_sessions(draw: st.DrawFn) -> tuple[Times, datetime]:
    """Return a session that was used after it began, and a later moment."""
    moments = sorted(draw(st.tuples(MOMENTS, MOMENTS, MOMENTS)))
    seen = draw(st.sampled_from([moments[1], None]))
    return Times(moments[0], seen), moments[2]


def limited(
    duration: float = 0, max_age: float = 0, idle: float = 0, touch: int = 60
) -> Limits:
    """Return limits in seconds."""
    return Limits(*map(timedelta, [0] * 4, (duration, max_age, idle, touch)))


@given(used_sessions(), LIMITS)
def test_all_forms_of_the_rule_agree(
    used: tuple[Times, datetime], limits: Limits
) -> None:
    """Expired is what is past its end, and what a purge by index takes."""
    session, now = used
    assert session.created_at is not None
    why = expiry_reason(session, limits, now)
    end = expires_at(session, limits)
    assert (why is not None) is (end is not None and end < now)
    begun, seen = oldest_valid(limits, now)
    is_old = begun is not None and session.created_at < begun
    last_use = session.last_seen_at or session.created_at
    is_quiet = seen is not None and last_use < seen
    assert (why is not None) is (is_old or is_quiet)
    assert (why is EndReason.EXPIRED) is is_old
    assert why in (None, EndReason.EXPIRED, EndReason.IDLE_TIMEOUT)


@given(used_sessions(), LIMITS)
def test_expired_session_stays_expired(
    used: tuple[Times, datetime], limits: Limits
) -> None:
    """Time that passes without a use revives nothing."""
    session, now = used
    if expiry_reason(session, limits, now) is not None:
        later = datetime.max.replace(tzinfo=timezone.utc)
        assert expiry_reason(session, limits, later) is not None


@given(MOMENTS, MOMENTS)
def test_without_limits_no_session_expires(
    created_at: datetime, now: datetime
) -> None:
    """Without limits a session has no end, with a date and without."""
    created_at, now = sorted((created_at, now))
    limits = Limits()
    assert limits.endless
    assert oldest_valid(limits, now) == (None, None)
    for session in (Times(created_at), Times(None), Times(None, now)):
        assert expiry_reason(session, limits, now) is None
        assert expires_at(session, limits) is None


@pytest.mark.parametrize(
    ("limits", "lives", "why"),
    [
        (limited(duration=60), 60, EndReason.EXPIRED),
        (limited(max_age=60), 60, EndReason.EXPIRED),
        (limited(duration=60, max_age=90), 60, EndReason.EXPIRED),
        (limited(duration=90, max_age=60), 60, EndReason.EXPIRED),
        (limited(idle=60), 60, EndReason.IDLE_TIMEOUT),
        (limited(duration=90, idle=60), 60, EndReason.IDLE_TIMEOUT),
        (limited(duration=60, idle=90), 60, EndReason.EXPIRED),
        (limited(duration=60, max_age=60, idle=60), 60, EndReason.EXPIRED),
    ],
)
def test_earliest_limit_ends_the_session(
    limits: Limits, lives: int, why: EndReason
) -> None:
    """At exactly the limit it is valid; a microsecond later it is not."""
    session, last = Times(NOW), NOW + timedelta(seconds=lives)
    assert expires_at(session, limits) == last
    assert expiry_reason(session, limits, last) is None
    assert expiry_reason(session, limits, last + TICK) is why
    assert not limits.endless


def test_use_extends_only_the_idle_limit() -> None:
    """Idleness counts from the last use, age from the beginning."""
    limits = limited(duration=100, idle=60)
    session = Times(NOW, NOW + timedelta(seconds=50))
    assert expiry_reason(session, limits, NOW + timedelta(seconds=100)) is None
    late = NOW + timedelta(seconds=100) + TICK
    assert expiry_reason(session, limits, late) is EndReason.EXPIRED
    idle = limited(idle=60)
    assert expires_at(session, idle) == NOW + timedelta(seconds=110)


@pytest.mark.parametrize("limits", [limited(60), limited(idle=60)])
def test_session_without_a_date_is_expired_under_a_limit(
    limits: Limits,
) -> None:
    """A session without a creation may be of any age."""
    assert expiry_reason(Times(None), limits, NOW) is EndReason.EXPIRED
    assert expiry_reason(Times(None, NOW), limits, NOW) is EndReason.EXPIRED


def test_without_limits_the_age_does_not_count() -> None:
    """Not for that of a session from the future, nor of one undated."""
    for began in (None, NOW, NOW + timedelta(days=400)):
        assert expiry_reason(Times(began), Limits(), NOW) is None


@pytest.mark.parametrize("limits", [limited(idle=60), limited(60, 60, 60)])
def test_session_from_the_future_is_refused(limits: Limits) -> None:
    """Clocks differ by seconds; more means that one was set back."""
    assert expiry_reason(Times(NOW + SKEW), limits, NOW) is None
    future = Times(NOW + SKEW + TICK)
    assert expiry_reason(future, limits, NOW) is EndReason.CLOCK_CHANGED


def test_longest_duration_never_ends() -> None:
    """It can be made, nothing is older, and its end is in no calendar."""
    limits = Limits(seconds(MAX_SECONDS))
    assert seconds(10**300) == seconds(MAX_SECONDS)
    assert seconds(-1) == ZERO
    with pytest.raises(OverflowError):
        timedelta(seconds=MAX_SECONDS + 86_400)
    assert oldest_valid(limits, NOW) == (None, None)
    first = Times(datetime.min.replace(tzinfo=timezone.utc))
    assert expiry_reason(first, limits, NOW) is None
    assert expires_at(first, limits) is None


@pytest.mark.parametrize(
    ("limits", "every"),
    [
        (limited(touch=60), 60),
        (limited(idle=900), 60),
        (limited(idle=300), 30),
        (limited(idle=30, touch=0), 3),
    ],
)
def test_use_is_noted_once_per_interval(limits: Limits, every: int) -> None:
    """The interval is never more than a tenth of the idle timeout."""
    due = NOW + timedelta(seconds=every)
    for session in (Times(NOW), Times(NOW - timedelta(days=1), NOW)):
        assert not is_touch_due(session, limits, NOW)
        assert not is_touch_due(session, limits, due - TICK)
        assert is_touch_due(session, limits, due)
    assert is_touch_due(Times(None), limits, NOW)


def test_without_an_interval_no_use_is_noted() -> None:
    """Without an idle timeout nothing is written."""
    late = NOW + timedelta(days=1)
    assert not is_touch_due(Times(NOW), limited(touch=0), late)
    assert not is_touch_due(Times(None), limited(touch=0), late)


# Few sessions live and are not due at a time drawn apart from them.
@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(used_sessions(), LIMITS, MOMENTS)
@example((Times(NOW), NOW), limited(touch=0), NOW + TICK)
@example((Times(NOW), NOW), limited(60, touch=0), NOW + TICK)
@example((Times(LAST), LAST), limited(), LAST)
def test_session_is_unchanged_until_its_next_change(
    used: tuple[Times, datetime], limits: Limits, later: datetime
) -> None:
    """A session that lives, and is not to be noted, stays so until then."""
    session, now = used
    assume(expiry_reason(session, limits, now) is None)
    assume(not is_touch_due(session, limits, now))
    if now <= later < unchanged_until(session, limits):
        assert expiry_reason(session, limits, later) is None
        assert not is_touch_due(session, limits, later)


def test_next_change_is_the_earliest() -> None:
    """A note, an end, or nothing at all."""
    minute, latest = timedelta(seconds=60), LAST
    session = Times(NOW)
    assert unchanged_until(session, limited()) == NOW + minute
    assert unchanged_until(session, limited(30)) == NOW + minute / 2
    assert unchanged_until(session, limited(touch=0)) == latest
    assert unchanged_until(Times(LAST), limited()) == latest

#!/usr/bin/env python3
"""Records and lifetimes: what can be read, and whether it is alive."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.sessions import new_session_id
from vestibule.sessions.lifetime import (
    LONGEST_SECONDS,
    Limits,
    is_live,
    oldest_live,
)
from vestibule.sessions.record import Record, record_of

NOW = datetime(2026, 3, 29, 2, 30, tzinfo=timezone.utc)
MOMENTS = st.datetimes(timezones=st.just(timezone.utc))
DURATIONS = st.timedeltas()
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.text(), st.integers(), st.binary(), st.datetimes(),
    st.datetimes(timezones=st.timezones()), st.floats(),
    st.lists(st.text(), max_size=2),
)
ENTRIES: st.SearchStrategy[Any] = VALUES | st.fixed_dictionaries(
    {}, optional={"user_id": VALUES, "created_at": VALUES}
)


@given(MOMENTS, DURATIONS, MOMENTS)
def test_both_forms_of_the_comparison_agree(
    created_at: datetime, duration: timedelta, now: datetime
) -> None:
    """What `oldest_live` lets go is what `is_live` calls dead."""
    limits = Limits(duration)
    oldest = oldest_live(limits, now)
    dead = oldest is not None and created_at < oldest
    assert is_live(Record("a", created_at), limits, now) is not dead


@given(MOMENTS, MOMENTS)
def test_no_limit_ends_nothing(created_at: datetime, now: datetime) -> None:
    """Zero and less mean for ever, with a date and without."""
    for duration in (timedelta(0), timedelta(-1), timedelta.min):
        limits = Limits(duration)
        assert limits.for_ever
        assert oldest_live(limits, now) is None
        assert is_live(Record("a", created_at), limits, now)
        assert is_live(Record("a"), limits, now)
    assert Limits() == Limits(timedelta(0))


def test_the_last_moment_is_alive() -> None:
    """At exactly its duration a session lives; a microsecond on it is dead.
    """
    limits, record = Limits(timedelta(seconds=60)), Record("a", NOW)
    assert is_live(record, limits, NOW + timedelta(seconds=60))
    assert not is_live(record, limits, NOW + timedelta(0, 60, 1))
    assert not is_live(Record("a"), limits, NOW)


def test_the_longest_duration_is_one() -> None:
    """It can be made, and nothing is older than it."""
    limits = Limits(timedelta(seconds=LONGEST_SECONDS))
    assert oldest_live(limits, NOW) is None
    first = datetime.min.replace(tzinfo=timezone.utc)
    assert is_live(Record("a", first), limits, NOW)
    with pytest.raises(OverflowError):
        timedelta(seconds=LONGEST_SECONDS + 86_400)


@given(ENTRIES)
def test_any_value_is_a_record_or_none(entry: Any) -> None:
    """Nothing in the dictionary makes reading it fail."""
    record = record_of(entry)
    if isinstance(entry, str):
        assert record == Record(entry)
    elif isinstance(entry, dict) and isinstance(entry.get("user_id"), str):
        assert record is not None
        assert record.user_id == entry["user_id"]
        given = entry.get("created_at")
        if record.created_at is not None:
            assert record.created_at.utcoffset() is not None
            if given is not None and given.tzinfo is not None:
                assert record.created_at == given.astimezone(timezone.utc)
    else:
        assert record is None
    if record is not None:
        is_live(record, Limits(timedelta(seconds=60)), NOW)


def test_new_ids_are_random() -> None:
    """No two of many are the same."""
    assert len({new_session_id() for _ in range(1000)}) == 1000

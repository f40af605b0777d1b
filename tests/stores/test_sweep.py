#!/usr/bin/env python3
"""One sweep deletes what is too old, in each table."""

from tests.clocks import SetClock
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.mechanisms.session_mechanism import sweep_for


def test_sweep_counts_the_sessions_that_it_deleted(
    set_clock: SetClock, any_database: str
) -> None:
    """A second sweep finds nothing."""
    auth = SessionDBAuth()
    auth.session_duration = 60
    sweep = sweep_for(auth)
    assert auth.create_session("abcde") is not None
    assert sweep() == 0
    set_clock.advance(61)
    assert [sweep(), sweep()] == [1, 0]
    assert auth.store.count() == 0

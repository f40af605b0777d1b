#!/usr/bin/env python3
"""When a session ends by itself, alike in memory and in the database."""

import logging
from datetime import datetime, timedelta, timezone

import pytest

from tests.clocks import SetClock
from tests.fake_requests import with_session
from tests.stores.conftest import Make
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_exp_auth import SessionExpAuth
from vestibule.sessions.lifetime import Limits

CENTURY = 100 * 365 * 86_400


def _expiring(made: SessionAuth) -> SessionExpAuth:
    """Return the mechanism as one with a duration."""
    assert isinstance(made, SessionExpAuth)
    return made


def _stored() -> int:
    """Return the number of stored sessions."""
    return UserSession.count() + len(SessionAuth.user_id_by_session_id)


@pytest.mark.parametrize("duration", [1, 60, 86_400])
def test_a_session_lives_for_its_duration(
    expiring: Make, set_clock: SetClock, duration: int
) -> None:
    """It is valid at exactly its duration and expired a microsecond later."""
    auth = expiring(duration)
    user = User()
    user.save()
    session_id = auth.create_session(user.id)
    visit = with_session(session_id)
    set_clock.advance(duration)
    assert auth.user_id_for_session_id(session_id) == user.id
    assert auth.current_user(visit) == user
    set_clock.advance(1e-6)
    assert auth.user_id_for_session_id(session_id) is None
    assert auth.current_user(visit) is None
    assert auth.destroy_session(visit) is False


def test_use_does_not_extend_the_duration(
    expiring: Make, set_clock: SetClock
) -> None:
    """Its age counts from its creation, not from its last use."""
    auth = expiring(60)
    session_id = auth.create_session("abcde")
    for expected in ["abcde"] * 6 + [None] * 2:
        set_clock.advance(10)
        assert auth.user_id_for_session_id(session_id) == expected


@pytest.mark.parametrize("duration", [None, 0, -1, -60, "", "a", "1.5", "9s"])
def test_session_without_a_positive_duration_never_ends(
    expiring: Make, set_clock: SetClock, duration: object
) -> None:
    """No duration, none that is an integer, and none above 0: no end."""
    auth = _expiring(expiring(duration))
    session_id = auth.create_session("abcde")
    set_clock.advance(CENTURY)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    assert auth.purge_expired() == 0
    assert auth.destroy_session(with_session(session_id)) is True


@pytest.mark.parametrize(
    ("given", "seconds", "warns"),
    [
        (None, 0, False),
        ("60", 60, False),
        (" 60 ", 60, False),
        ("-5", -5, False),
        ("1.5", 0, True),
        ("", 0, False),
        ("for ever", 0, True),
    ],
)
def test_duration_is_read_when_the_mechanism_is_made(
    expiring: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: str | None,
    seconds: int,
    warns: bool,
) -> None:
    """What is no integer counts as 0, with a warning; later changes do not."""
    with caplog.at_level(logging.WARNING):
        auth = _expiring(expiring(given))
    monkeypatch.setenv("SESSION_DURATION", "7")
    assert auth.session_duration == seconds
    assert ("SESSION_DURATION is not an integer" in caplog.text) is warns


@pytest.mark.parametrize("duration", [10**9, 10**14, 10**18, 10**300])
def test_huge_duration_never_ends(
    expiring: Make, set_clock: SetClock, duration: int
) -> None:
    """A duration that goes beyond the calendar does not end the session."""
    auth = _expiring(expiring(duration))
    session_id = auth.create_session("abcde")
    assert auth.user_id_for_session_id(session_id) == "abcde"
    assert auth.purge_expired() == 0
    set_clock.moment = datetime(9999, 12, 31, tzinfo=timezone.utc)
    alive = auth.user_id_for_session_id(session_id) is not None
    assert alive is (duration > 10**12)


def test_changed_duration_counts_at_once(
    expiring: Make, set_clock: SetClock
) -> None:
    """The attribute `session_duration` is read at each look-up."""
    auth = _expiring(expiring(60))
    session_id = auth.create_session("abcde")
    set_clock.advance(61)
    assert auth.user_id_for_session_id(session_id) is None
    auth.session_duration = 120
    assert auth.user_id_for_session_id(session_id) == "abcde"
    auth.session_duration = 30
    assert auth.user_id_for_session_id(session_id) is None
    auth.session_duration = 0
    assert auth.user_id_for_session_id(session_id) == "abcde"


def test_session_of_a_slightly_fast_clock_is_valid(
    expiring: Make, set_clock: SetClock
) -> None:
    """A session that another machine began just now is valid."""
    auth = _expiring(expiring(60))
    session_id = auth.create_session("abcde")
    set_clock.advance(-10)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    assert auth.purge_expired() == 0


def test_purge_deletes_exactly_the_expired(
    expiring: Make, set_clock: SetClock
) -> None:
    """A session at its last moment stays."""
    auth = _expiring(expiring(60))
    dead = [auth.create_session("abcde") for _ in range(3)]
    set_clock.advance(1)
    last_moment = auth.create_session("abcde")
    set_clock.advance(60)
    young = auth.create_session("fghij")
    assert auth.purge_expired() in (0, 3)
    assert _stored() == 2
    assert auth.purge_expired() == 0
    assert [auth.user_id_for_session_id(i) for i in dead] == [None] * 3
    assert auth.user_id_for_session_id(last_moment) == "abcde"
    assert auth.user_id_for_session_id(young) == "fghij"


def test_purge_deletes_more_than_one_batch(
    expiring: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge continues until no expired session is left."""
    monkeypatch.setattr("vestibule.db.session_queries.MAX_BATCH_ROWS", 4)
    auth = _expiring(expiring(60))
    for _ in range(10):
        auth.create_session("abcde")
    set_clock.advance(30)
    auth.create_session("fghij")
    set_clock.advance(31)
    assert auth.purge_expired() == 10
    assert _stored() == 1


def test_purged_session_cannot_be_ended(
    expiring: Make, set_clock: SetClock
) -> None:
    """After its purge a session cannot be ended any more."""
    auth = _expiring(expiring(60))
    visit = with_session(auth.create_session("abcde"))
    set_clock.advance(61)
    assert auth.purge_expired() == 1
    assert auth.destroy_session(visit) is False


def test_overridden_limit_is_used(expiring: Make, set_clock: SetClock) -> None:
    """A subclass may define how long sessions live."""
    base = type(_expiring(expiring(60)))

    class Strict(base):  # type: ignore[misc, valid-type]
        """A mechanism with a shorter limit than its duration."""

        hasty = False

        def limits(self) -> Limits:
            """Return the usual limits, or half a minute."""
            usual: Limits = super().limits()
            return Limits(timedelta(seconds=30)) if self.hasty else usual

    auth = Strict()
    session_id = auth.create_session("abcde")
    set_clock.advance(31)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    auth.hasty = True
    assert auth.user_id_for_session_id(session_id) is None
    auth.hasty = False
    set_clock.advance(30)
    assert auth.user_id_for_session_id(session_id) is None


def test_stored_session_outlives_its_mechanism(
    any_database: str, set_clock: SetClock
) -> None:
    """Another object on the same database finds and ends the session."""
    from vestibule.mechanisms.session_db_auth import SessionDBAuth

    first, second = SessionDBAuth(), SessionDBAuth()
    session_id = first.create_session("abcde")
    assert session_id is not None
    assert second.user_id_for_session_id(session_id) == "abcde"
    assert first.user_id_by_session_id == {}
    stored = UserSession.find(session_id)
    assert stored is not None
    assert stored.created_at == set_clock.moment
    stored.created_at -= timedelta(seconds=100)
    stored.save()
    second.session_duration = 99
    assert second.user_id_for_session_id(session_id) is None
    assert first.user_id_for_session_id(session_id) == "abcde"


def test_stored_session_without_a_user_is_invalid(
    any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that names no user is no session."""
    from vestibule.mechanisms.session_db_auth import SessionDBAuth

    monkeypatch.setenv("SESSION_NAME", "_my_session_id")
    UserSession(session_id="secret").save()
    auth = SessionDBAuth()
    assert auth.user_id_for_session_id("secret") is None
    assert auth.destroy_session(with_session("secret")) is False

#!/usr/bin/env python3
"""Use of a session: idle timeout, touches, and the reason of its end."""

import logging
from datetime import datetime, timedelta

import pytest

from tests.clocks import SetClock
from tests.fake_requests import FakeRequest, with_session
from tests.stored_sessions import sessions_in
from tests.stores.conftest import Make
from tests.threads import at_once
from vestibule.accounts import users
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db.models.user import User
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.memory import MemoryStore
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400


def _user() -> User:
    """Return a stored user."""
    user = User()
    user.save()
    return user


def last_seen(auth: SessionAuth, session_id: str | None) -> datetime | None:
    """Return the last use of a session that was noted."""
    session = auth.store.find(str(session_id))
    assert session is not None
    return session.last_seen_at


def test_use_restarts_the_idle_timeout(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a use the session ends."""
    monkeypatch.setenv("SESSION_IDLE_TIMEOUT", "60")
    auth = mechanism()
    session_id = auth.create_session("abcde")
    for _ in range(5):
        set_clock.advance(60)
        assert auth.user_id_for_session_id(session_id) == "abcde"
    set_clock.advance(60 + 1e-6)
    assert auth.user_id_for_session_id(session_id) is None
    assert auth.user_id_for_session_id(session_id) is None
    assert auth.why_refused(with_session(session_id)) is EndReason.IDLE_TIMEOUT
    assert auth.purge_expired() == 1


def test_use_does_not_extend_the_maximum_age(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under every mechanism a session in use ends at its absolute limit."""
    monkeypatch.setenv("SESSION_IDLE_TIMEOUT", "60")
    monkeypatch.setenv("SESSION_MAX_AGE", "120")
    auth = mechanism()
    session_id = auth.create_session("abcde")
    for _ in range(4):
        set_clock.advance(30)
        assert auth.user_id_for_session_id(session_id) == "abcde"
    set_clock.advance(1e-6)
    assert auth.user_id_for_session_id(session_id) is None
    assert auth.why_refused(with_session(session_id)) is EndReason.EXPIRED


def test_plain_session_ignores_the_duration(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SessionAuth` obeys idle timeout and maximum age, nothing else."""
    monkeypatch.setenv("SESSION_DURATION", "60")
    auth = SessionAuth()
    session_id = auth.create_session("abcde")
    assert auth.limits().endless
    set_clock.advance(10 * YEAR)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    assert auth.purge_expired() == 0
    monkeypatch.setenv("SESSION_MAX_AGE", "60")
    assert SessionAuth().user_id_for_session_id(session_id) is None


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (-HOUR, EndReason.CLOCK_CHANGED),
        (DAY, EndReason.EXPIRED),
        (10 * YEAR, EndReason.EXPIRED),
    ],
)
def test_stepped_clock_refuses_the_session(
    expiring: Make, set_clock: SetClock, step: int, why: EndReason
) -> None:
    """Back or forward, a session is refused, and new ones can begin."""
    auth = expiring(HOUR)
    user = _user()
    visit = with_session(auth.create_session(user.id))
    set_clock.advance(step)
    assert auth.current_user(visit) is None
    assert auth.why_refused(visit) is why
    assert auth.destroy_session(visit) is False
    anew = with_session(auth.create_session(user.id))
    assert auth.current_user(anew) == user
    auth.purge_expired()
    assert auth.current_user(anew) == user
    assert auth.current_user(visit) is None


def test_last_use_in_the_future_does_not_extend_the_age(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A last use in the future does not keep a session beyond its age."""
    monkeypatch.setenv("SESSION_IDLE_TIMEOUT", "600")
    monkeypatch.setenv("SESSION_MAX_AGE", str(2 * HOUR))
    auth = mechanism()
    session_id = auth.create_session("abcde")
    for _ in range(12):
        set_clock.advance(600)
        assert auth.user_id_for_session_id(session_id) == "abcde"
    set_clock.advance(-HOUR)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    set_clock.advance(HOUR + 1)
    assert auth.user_id_for_session_id(session_id) is None


def test_use_is_noted_once_per_interval(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uses in between are only reads."""
    monkeypatch.setenv("SESSION_TOUCH_INTERVAL", "20")
    auth = mechanism()
    session_id = auth.create_session("abcde")
    began, noted = set_clock.moment, []
    for _ in range(10):
        set_clock.advance(5)
        auth.user_id_for_session_id(session_id)
        seen = last_seen(auth, session_id)
        assert seen is not None
        noted.append((seen - began) / timedelta(seconds=1))
    assert noted == [0, 0, 0, 20, 20, 20, 20, 40, 40, 40]


def test_expired_session_is_not_touched(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request with it does not count as a use."""
    monkeypatch.setenv("SESSION_MAX_AGE", "60")
    auth = mechanism()
    session_id, began = auth.create_session("abcde"), set_clock.moment
    set_clock.advance(61)
    assert auth.user_id_for_session_id(session_id) is None
    assert last_seen(auth, session_id) == began


def test_session_is_valid_if_its_use_cannot_be_noted(
    set_clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that takes no writes still lets users read."""

    class Full(MemoryStore):
        """A store on a full disk."""

        def touch(self, session_id: str, now: datetime) -> None:
            """Fail like a full disk."""
            raise DatabaseUnavailable("no room")

    class OnFullDisk(SessionAuth):
        """A mechanism on that store."""

        @property
        def store(self) -> SessionStore:
            """Return the store on a full disk."""
            return Full(self.user_id_by_session_id, self._memory)

    auth = OnFullDisk()
    session_id = auth.create_session("abcde")
    set_clock.advance(HOUR)
    with caplog.at_level(logging.WARNING):
        assert auth.user_id_for_session_id(session_id) == "abcde"
    assert "the last use of a session was not stored: no room" in caplog.text
    assert str(session_id) not in caplog.text


def test_end_wins_over_concurrent_uses(
    mechanism: Make, set_clock: SetClock
) -> None:
    """Of many threads that use it and one that ends it, none revives it."""
    auth = mechanism()
    for _ in range(5):
        session_id = auth.create_session("abcde")
        visit = with_session(session_id)
        set_clock.advance(HOUR)

        def use_or_end(
            number: int,
            session_id: str | None = session_id,
            visit: FakeRequest = visit,
        ) -> bool:
            """End the session in one thread, use it in all others."""
            if number == 3:
                return auth.destroy_session(visit)
            auth.user_id_for_session_id(session_id)
            return False

        assert sum(at_once(6, use_or_end)) == 1
        assert auth.user_id_for_session_id(session_id) is None
        assert sessions_in(auth.store) == []
        assert auth.why_refused(visit) is EndReason.LOGGED_OUT


def test_reason_needs_the_secret_of_an_ended_session(
    mechanism: Make, set_clock: SetClock
) -> None:
    """There is none without a cookie or for an id that was never issued."""
    auth = mechanism()
    auth.create_session("abcde")
    for visit in (
        None,
        FakeRequest(),
        with_session("unknown"),
        with_session(""),
    ):
        assert auth.why_refused(visit) is None


def test_reason_says_that_the_user_is_disabled_or_removed(
    mechanism: Make,
) -> None:
    """Disabled for now, or removed for good."""
    auth = mechanism()
    out, gone = _user(), _user()
    visits = [with_session(auth.create_session(u.id)) for u in (out, gone)]
    users.disable(out)
    gone.remove()
    told = [auth.why_refused(visit) for visit in visits]
    assert told == [EndReason.USER_DISABLED, EndReason.USER_REMOVED]

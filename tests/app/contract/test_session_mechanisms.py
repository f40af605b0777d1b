#!/usr/bin/env python3
"""The three session mechanisms as scripts use them, without a server."""

import logging
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from api.v1.auth.auth import Auth
from api.v1.auth.basic_auth import BasicAuth
from api.v1.auth.session_auth import SessionAuth
from api.v1.auth.session_db_auth import SessionDBAuth
from api.v1.auth.session_exp_auth import SessionExpAuth
from models.user import User
from models.user_session import UserSession
from tests.clocks import SetClock
from tests.fake_requests import FakeRequest, with_session
from tests.serving import COOKIE

pytestmark = pytest.mark.usefixtures("no_sessions", "cookie_name")


@pytest.fixture
def cookie_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the session cookie its name."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)


def lasting(
    mechanism: type[SessionExpAuth],
    duration: str,
    monkeypatch: pytest.MonkeyPatch,
) -> SessionExpAuth:
    """Return the mechanism with this `SESSION_DURATION`."""
    monkeypatch.setenv("SESSION_DURATION", duration)
    return mechanism()


def test_the_chain_of_classes() -> None:
    """Each mechanism is built on the one before it."""
    assert SessionDBAuth.__bases__ == (SessionExpAuth,)
    assert SessionExpAuth.__bases__ == (SessionAuth,)
    assert SessionAuth.__bases__ == (Auth,)
    assert BasicAuth.__bases__ == (Auth,)


def test_methods_stand_where_they_are_described() -> None:
    """A reader finds each method in the class that is known for it."""
    assert {
        "user_id_by_session_id",
        "create_session",
        "current_user",
        "user_id_for_session_id",
        "destroy_session",
    } <= set(vars(SessionAuth))
    assert {"__init__", "create_session", "user_id_for_session_id"} <= set(
        vars(SessionExpAuth)
    )
    assert {
        "create_session",
        "user_id_for_session_id",
        "destroy_session",
    } <= set(vars(SessionDBAuth))


def test_a_session_is_a_key_of_the_dictionary() -> None:
    """The key is a random UUID as text, the value the user's id."""
    auth = SessionAuth()
    assert auth.create_session() is None
    for no_string in (None, 89, b"abcde", ["abcde"]):
        made = auth.create_session(no_string)  # type: ignore[arg-type]
        assert made is None
    assert SessionAuth.user_id_by_session_id == {}
    ids = [auth.create_session(user) for user in ("abcde", "fg", "abcde")]
    assert ids == [str(uuid.UUID(one)) for one in ids]
    assert all(uuid.UUID(one).version == 4 for one in ids)
    assert dict(zip(ids, ("abcde", "fg", "abcde"), strict=True)) == (
        SessionAuth.user_id_by_session_id
    )
    assert [auth.user_id_for_session_id(one) for one in ids] == [
        "abcde",
        "fg",
        "abcde",
    ]
    for unknown in (None, 89, "doesntexist", ["x"], "abcde"):
        owner = auth.user_id_for_session_id(unknown)  # type: ignore[arg-type]
        assert owner is None
    assert auth.user_id_for_session_id() is None


def test_current_user_and_end_of_a_session(any_database: str) -> None:
    """The cookie leads to the user until the session is destroyed."""
    user = User()
    user.save()
    for mechanism in (SessionAuth, SessionExpAuth, SessionDBAuth):
        auth = mechanism()
        session_id = auth.create_session(user.id)
        other = auth.create_session(user.id)
        mine, strange = with_session(session_id), with_session("unknown")
        assert auth.current_user(mine) == user
        for request in (None, FakeRequest(), strange):
            assert auth.current_user(request) is None
            assert auth.destroy_session(request) is False
        assert auth.current_user() is None
        assert auth.destroy_session() is False
        assert auth.destroy_session(mine) is True
        assert auth.current_user(mine) is None
        assert auth.destroy_session(mine) is False
        assert auth.user_id_for_session_id(other) == user.id
        assert session_id not in SessionAuth.user_id_by_session_id
    assert UserSession.count() == 1


def test_a_dated_session_is_a_dictionary(set_clock: SetClock) -> None:
    """`SessionExpAuth` keeps the user's id and the moment, in UTC."""
    auth = SessionExpAuth()
    assert auth.create_session(None) is None
    assert auth.create_session(89) is None  # type: ignore[arg-type]
    assert auth.user_id_by_session_id == {}
    session_id = auth.create_session("abcde") or ""
    assert auth.user_id_by_session_id == {
        session_id: {"user_id": "abcde", "created_at": set_clock.moment}
    }
    made = auth.user_id_by_session_id[session_id]["created_at"]
    assert made.utcoffset() == timedelta(0)


@pytest.mark.parametrize("mechanism", [SessionExpAuth, SessionDBAuth])
def test_a_session_lives_its_duration(
    mechanism: type[SessionExpAuth],
    set_clock: SetClock,
    any_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It works up to the last moment of its 60 seconds, not after it."""
    auth = lasting(mechanism, "60", monkeypatch)
    assert auth.session_duration == 60
    monkeypatch.setenv("SESSION_DURATION", "1")
    session_id = auth.create_session("abcde")
    for seconds, user in ((10, "abcde"), (50, "abcde"), (0.000_001, None)):
        set_clock.advance(seconds)
        assert auth.user_id_for_session_id(session_id) == user
    assert auth.destroy_session(with_session(session_id)) is False


@pytest.mark.parametrize("mechanism", [SessionExpAuth, SessionDBAuth])
@pytest.mark.parametrize("duration", ["0", "-1", "1.5", "a minute", "", None])
def test_no_duration_no_end(
    mechanism: type[SessionExpAuth],
    duration: str | None,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Zero, less, nothing or no integer: sessions stay, even undated ones."""
    caplog.set_level(logging.WARNING)
    if duration is not None:
        monkeypatch.setenv("SESSION_DURATION", duration)
    auth = mechanism()
    no_integer = duration in ("1.5", "a minute", "")
    assert auth.session_duration == (-1 if duration == "-1" else 0)
    assert [r.levelname for r in caplog.records] == ["WARNING"] * no_integer
    assert ("SESSION_DURATION is not an integer" in caplog.text) is no_integer
    session_id = auth.create_session("abcde")
    set_clock.advance(1e9)
    assert auth.user_id_for_session_id(session_id) == "abcde"
    SessionAuth.user_id_by_session_id["undated"] = {"user_id": "fghij"}
    if mechanism is SessionExpAuth:
        assert auth.user_id_for_session_id("undated") == "fghij"


def test_entries_made_by_hand(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a date, a user or any sense an entry opens nothing."""
    auth = lasting(SessionExpAuth, "60", monkeypatch)
    entries: dict[str, Any] = auth.user_id_by_session_id
    entries["undated"] = {"user_id": "abcde"}
    entries["no date"] = {"user_id": "abcde", "created_at": "today"}
    entries["nobody"] = {"created_at": set_clock.moment}
    entries["number"] = 89
    for session_id in entries:
        assert auth.user_id_for_session_id(session_id) is None
    entries["made"] = {"user_id": "abcde", "created_at": set_clock.moment}
    assert auth.user_id_for_session_id("made") == "abcde"
    for unknown in (None, 89, "doesntexist"):
        owner = auth.user_id_for_session_id(unknown)  # type: ignore[arg-type]
        assert owner is None


@pytest.fixture
def east_of_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this process into a zone that is six hours ahead of UTC."""
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "XXX-6")
        time.tzset()
        yield
    time.tzset()


def test_a_moment_without_a_zone_is_local(
    east_of_utc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A naive `created_at` counts as `datetime.now()` of this machine."""
    auth = lasting(SessionExpAuth, "60", monkeypatch)
    local = datetime.now()
    assert local - datetime.now(timezone.utc).replace(tzinfo=None) > (
        timedelta(hours=5)
    )
    for age, user in ((0, "abcde"), (30, "abcde"), (90, None)):
        auth.user_id_by_session_id["made"] = {
            "user_id": "abcde",
            "created_at": local - timedelta(seconds=age),
        }
        assert auth.user_id_for_session_id("made") == user


def test_sessions_in_the_database(
    any_database: str, set_clock: SetClock
) -> None:
    """`SessionDBAuth` keeps rows, which every other object sees."""
    auth = SessionDBAuth()
    assert auth.create_session() is None
    assert auth.create_session(89) is None  # type: ignore[arg-type]
    assert UserSession.count() == 0
    session_id = auth.create_session("abcde")
    assert isinstance(session_id, str)
    assert uuid.UUID(session_id).version == 4
    (stored,) = UserSession.search({"session_id": session_id})
    assert stored.user_id == "abcde"
    assert stored.created_at == set_clock.moment
    assert stored.session_id != session_id
    assert auth.user_id_by_session_id == {}
    assert SessionDBAuth().user_id_for_session_id(session_id) == "abcde"
    for unknown in (None, 89, "doesntexist", stored.session_id):
        owner = auth.user_id_for_session_id(unknown)  # type: ignore[arg-type]
        assert owner is None
    assert SessionDBAuth().destroy_session(with_session(session_id)) is True
    assert UserSession.count() == 0


@pytest.mark.parametrize("mechanism", [SessionExpAuth, SessionDBAuth])
def test_expired_sessions_are_dropped(
    mechanism: type[SessionExpAuth],
    any_database: str,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A purge drops the dead and leaves the living."""
    auth = lasting(mechanism, "60", monkeypatch)
    dead = auth.create_session("abcde")
    set_clock.advance(59)
    live = auth.create_session("fghij")
    set_clock.advance(2)
    assert auth.purge_expired() == 1
    assert auth.user_id_for_session_id(live) == "fghij"
    assert dead not in auth.user_id_by_session_id
    assert UserSession.count() + len(auth.user_id_by_session_id) == 1
    set_clock.advance(-1.5)
    assert auth.user_id_for_session_id(dead) is None

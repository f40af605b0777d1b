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
    """Set the name of the session cookie."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)


def lasting(
    mechanism: type[SessionExpAuth],
    duration: str,
    monkeypatch: pytest.MonkeyPatch,
) -> SessionExpAuth:
    """Return the mechanism with this `SESSION_DURATION`."""
    monkeypatch.setenv("SESSION_DURATION", duration)
    return mechanism()


def test_each_mechanism_extends_the_previous() -> None:
    """The base classes are those of the contract."""
    assert SessionDBAuth.__bases__ == (SessionExpAuth,)
    assert SessionExpAuth.__bases__ == (SessionAuth,)
    assert SessionAuth.__bases__ == (Auth,)
    assert BasicAuth.__bases__ == (Auth,)


def test_methods_are_defined_in_the_documented_class() -> None:
    """Each class defines the methods that the contract names for it."""
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


def test_session_auth_maps_session_id_to_user_id() -> None:
    """The key is a random UUID as text."""
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


def test_cookie_finds_user_until_session_is_destroyed(
    any_database: str,
) -> None:
    """Holds for each mechanism."""
    user = User()
    user.save()
    for mechanism in (SessionAuth, SessionExpAuth, SessionDBAuth):
        auth = mechanism()
        session_id = auth.create_session(user.id)
        other = auth.create_session(user.id)
        mine, unknown = with_session(session_id), with_session("unknown")
        assert auth.current_user(mine) == user
        for request in (None, FakeRequest(), unknown):
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


def test_session_exp_auth_stores_user_id_and_time(set_clock: SetClock) -> None:
    """The time is in UTC."""
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
def test_session_is_valid_for_its_duration(
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
def test_invalid_duration_means_no_end(
    mechanism: type[SessionExpAuth],
    duration: str | None,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Zero, less, or no integer: sessions stay, even undated ones."""
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


def test_malformed_entries_find_no_user(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry needs a date and a user."""
    auth = lasting(SessionExpAuth, "60", monkeypatch)
    entries: dict[str, Any] = auth.user_id_by_session_id
    entries["undated"] = {"user_id": "abcde"}
    entries["no date"] = {"user_id": "abcde", "created_at": "today"}
    entries["no user"] = {"created_at": set_clock.moment}
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
    """Set this process to a time zone six hours ahead of UTC."""
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "XXX-6")
        time.tzset()
        yield
    time.tzset()


def test_naive_created_at_is_local_time(
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


def test_session_db_auth_stores_rows(
    any_database: str, set_clock: SetClock
) -> None:
    """Every other object sees the stored session."""
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
def test_purge_drops_expired_sessions(
    mechanism: type[SessionExpAuth],
    any_database: str,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A purge keeps valid sessions."""
    auth = lasting(mechanism, "60", monkeypatch)
    expired = auth.create_session("abcde")
    set_clock.advance(59)
    live = auth.create_session("fghij")
    set_clock.advance(2)
    assert auth.purge_expired() == 1
    assert auth.user_id_for_session_id(live) == "fghij"
    assert expired not in auth.user_id_by_session_id
    assert UserSession.count() + len(auth.user_id_by_session_id) == 1
    set_clock.advance(-1.5)
    assert auth.user_id_for_session_id(expired) is None

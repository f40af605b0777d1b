#!/usr/bin/env python3
"""The dictionary of sessions in memory, which scripts may read and change."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.clocks import SetClock
from tests.fake_requests import with_session
from tests.serving import COOKIE
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.mechanisms.session_exp_auth import SessionExpAuth

#: Values that a script may put there and that are no sessions.
GARBAGE: list[Any] = [
    None,
    89,
    b"abcde",
    [],
    {},
    object(),
    {"user_id": None},
    {"user_id": 89},
    {"created_at": datetime.now(timezone.utc)},
    ("abcde",),
]


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/St_Johns"])
def local_zone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Let the process have this time zone as its local one."""
    with monkeypatch.context() as moved:
        moved.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.fixture
def sixty(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> SessionExpAuth:
    """Return a mechanism whose sessions live for sixty seconds."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    monkeypatch.setenv("SESSION_DURATION", "60")
    return SessionExpAuth()


def test_dictionary_belongs_to_the_class() -> None:
    """All mechanisms share the one real dictionary of the class."""
    assert type(SessionAuth.user_id_by_session_id) is dict
    assert SessionAuth.user_id_by_session_id == {}
    for kind in (SessionAuth, SessionExpAuth, SessionDBAuth):
        assert "user_id_by_session_id" not in vars(kind())
        assert kind.user_id_by_session_id is SessionAuth.user_id_by_session_id


def test_plain_session_is_stored_as_a_user_id() -> None:
    """Under `SessionAuth` the value of a session id is the user id."""
    auth = SessionAuth()
    first, second = auth.create_session("abcde"), auth.create_session("f")
    assert auth.user_id_by_session_id == {first: "abcde", second: "f"}


def test_dated_session_is_stored_as_a_dictionary(
    sixty: SessionExpAuth, set_clock: SetClock
) -> None:
    """Under `SessionExpAuth` the value has the user and a date in UTC."""
    session_id = sixty.create_session("abcde")
    assert session_id is not None
    entry = sixty.user_id_by_session_id[session_id]
    assert entry == {"user_id": "abcde", "created_at": set_clock.moment}
    assert entry["created_at"].tzinfo is timezone.utc


def test_entry_put_in_by_a_script_is_a_session() -> None:
    """A plain user id or a session dictionary opens a plain session."""
    auth = SessionAuth()
    auth.user_id_by_session_id["by hand"] = "abcde"
    auth.user_id_by_session_id["dated"] = {"user_id": "fghij"}
    assert auth.user_id_for_session_id("by hand") == "abcde"
    assert auth.user_id_for_session_id("dated") == "fghij"


def test_changed_date_of_an_entry_counts_at_once(
    sixty: SessionExpAuth, set_clock: SetClock
) -> None:
    """The dictionary is what counts: there is no copy of it."""
    session_id = sixty.create_session("abcde")
    assert session_id is not None
    entry = sixty.user_id_by_session_id[session_id]
    entry["created_at"] = set_clock.moment - timedelta(seconds=61)
    assert sixty.user_id_for_session_id(session_id) is None
    entry["created_at"] = set_clock.moment
    entry["user_id"] = "fghij"
    assert sixty.user_id_for_session_id(session_id) == "fghij"
    del sixty.user_id_by_session_id[session_id]
    assert sixty.user_id_for_session_id(session_id) is None


@pytest.mark.parametrize(
    "entry",
    [
        "abcde",
        {"user_id": "abcde"},
        {"user_id": "abcde", "created_at": None},
        {"user_id": "abcde", "created_at": "2026-03-29"},
        {"user_id": "abcde", "created_at": 1_774_744_215.0},
    ],
    ids=repr,
)
def test_entry_without_a_date_is_expired_under_a_limit(
    sixty: SessionExpAuth, set_clock: SetClock, entry: Any
) -> None:
    """Its creation is unknown, so it is invalid and is deleted.

    A bare user id belongs to a mechanism without dates, which may be in
    use beside this one: it goes when its time is over since it was seen.
    """
    sixty.user_id_by_session_id["by hand"] = entry
    assert sixty.user_id_for_session_id("by hand") is None
    sixty.session_duration = 0
    assert sixty.user_id_for_session_id("by hand") == "abcde"
    assert sixty.purge_expired() == 0
    sixty.session_duration = 60
    set_clock.advance(61)
    assert sixty.purge_expired() == 1
    assert sixty.user_id_by_session_id == {}


@pytest.mark.parametrize("entry", GARBAGE)
@pytest.mark.parametrize("duration", [0, 60])
def test_invalid_entry_is_no_session_and_is_dropped(
    sixty: SessionExpAuth, entry: Any, duration: int
) -> None:
    """What cannot be read is no session, with a limit and without."""
    sixty.session_duration = duration
    sixty.user_id_by_session_id["by hand"] = entry
    assert sixty.user_id_for_session_id("by hand") is None
    assert sixty.destroy_session(with_session("by hand")) is False
    assert SessionAuth().user_id_for_session_id("by hand") is None
    assert sixty.purge_expired() == 1
    assert sixty.user_id_by_session_id == {}


def test_date_without_a_zone_is_local_time(
    sixty: SessionExpAuth, set_clock: SetClock, local_zone: str
) -> None:
    """A `datetime.now()` that a script put there means local time."""
    began = set_clock.moment.astimezone().replace(tzinfo=None)
    sixty.user_id_by_session_id["by hand"] = {
        "user_id": "abcde",
        "created_at": began,
    }
    set_clock.advance(60)
    assert sixty.user_id_for_session_id("by hand") == "abcde"
    assert sixty.purge_expired() == 0
    set_clock.advance(1)
    assert sixty.user_id_for_session_id("by hand") is None
    assert sixty.purge_expired() == 1


@pytest.mark.parametrize(
    "created_at",
    [
        datetime.min,
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
    ids=str,
)
def test_date_that_utc_cannot_express_ends_the_session(
    sixty: SessionExpAuth, created_at: datetime
) -> None:
    """A moment that UTC cannot express ends the session, not the call."""
    sixty.user_id_by_session_id["by hand"] = {
        "user_id": "abcde",
        "created_at": created_at,
    }
    assert sixty.user_id_for_session_id("by hand") is None
    assert sixty.purge_expired() == 1


def test_new_session_purges_expired_ones_once_per_interval(
    sixty: SessionExpAuth,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once per interval a new session deletes the expired ones."""
    monkeypatch.setenv("SESSION_PURGE_INTERVAL", "100")
    for _ in range(5):
        sixty.create_session("abcde")
    set_clock.advance(99)
    sixty.create_session("abcde")
    assert len(sixty.user_id_by_session_id) == 6
    set_clock.advance(1)
    sixty.create_session("abcde")
    assert len(sixty.user_id_by_session_id) == 2
    set_clock.advance(61)
    sixty.create_session("abcde")
    assert len(sixty.user_id_by_session_id) == 3

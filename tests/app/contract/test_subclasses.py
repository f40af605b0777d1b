#!/usr/bin/env python3
"""Mechanisms that somebody built on ours, and scripts of the models.

Each replaces some of the documented methods; the rest has to follow.
"""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from api.v1.auth.session_auth import SessionAuth
from api.v1.auth.session_db_auth import SessionDBAuth
from api.v1.auth.session_exp_auth import SessionExpAuth
from models.user import User
from models.user_session import UserSession
from tests.clocks import SetClock
from tests.fake_requests import with_session

pytestmark = pytest.mark.usefixtures("no_sessions")

MECHANISMS = [SessionAuth, SessionExpAuth, SessionDBAuth]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_replaced_session_cookie(mechanism: type[SessionAuth]) -> None:
    """Who takes the id from elsewhere finds the user and can log out."""

    class ByQuery(mechanism):  # type: ignore[misc, valid-type]
        """A mechanism whose session id comes in the query."""

        def session_cookie(self, request: Any = None) -> Any:
            """Return the id that the query has."""
            return None if request is None else request.args.get("sid")

    user = User()
    user.save()
    auth = ByQuery()
    request = SimpleNamespace(args={"sid": auth.create_session(user.id)})
    assert auth.current_user(request) == user
    assert auth.destroy_session(request) is True
    assert auth.current_user(request) is None
    assert auth.destroy_session(request) is False
    assert auth.current_user(None) is None


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_replaced_look_up(
    mechanism: type[SessionAuth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`user_id_for_session_id` alone says whose session it is."""
    monkeypatch.setenv("SESSION_NAME", "_my_session_id")
    user = User()
    user.save()

    class Everybody(mechanism):  # type: ignore[misc, valid-type]
        """A mechanism to which every cookie means one user."""

        def user_id_for_session_id(self, session_id: Any = None) -> Any:
            """Return the one user's id for anything but nothing."""
            return None if session_id is None else user.id

    class Nobody(mechanism):  # type: ignore[misc, valid-type]
        """A mechanism to which no cookie means anybody."""

        def user_id_for_session_id(self, session_id: Any = None) -> Any:
            """Return `None`."""
            return None

    assert Everybody().current_user(with_session("anything")) == user
    assert Everybody().current_user(with_session(None)) is None
    session_id = Nobody().create_session(user.id)
    assert Nobody().current_user(with_session(session_id)) is None
    assert Nobody().destroy_session(with_session(session_id)) is False
    assert mechanism().user_id_for_session_id(session_id) == user.id


def test_create_session_goes_through_the_parent(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SessionExpAuth` dates the session that its parent created."""
    monkeypatch.setattr(
        SessionAuth, "create_session", lambda self, user_id=None: user_id
    )
    auth = SessionExpAuth()
    assert auth.create_session("abcde") == "abcde"
    assert auth.user_id_by_session_id == {
        "abcde": {"user_id": "abcde", "created_at": set_clock.moment}
    }
    assert auth.create_session(None) is None


def test_a_replaced_duration(any_database: str) -> None:
    """`session_duration` may be set on the object at any time."""
    auth = SessionDBAuth()
    past = datetime.now(timezone.utc) - timedelta(seconds=61)
    UserSession(user_id="abcde", session_id="old", created_at=past).save()
    for duration, user in ((60, None), (120, "abcde"), (0, "abcde")):
        auth.session_duration = duration
        assert auth.user_id_for_session_id("old") == user

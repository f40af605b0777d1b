#!/usr/bin/env python3
"""Custom mechanisms that extend ours.

Each replaces some of the documented methods; the others must follow.
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
def test_replaced_session_cookie_is_used(mechanism: type[SessionAuth]) -> None:
    """A session id from elsewhere finds the user and can be destroyed."""

    class ByQuery(mechanism):  # type: ignore[misc, valid-type]
        """A mechanism whose session id comes in the query."""

        def session_cookie(self, request: Any = None) -> Any:
            """Return the id in the query."""
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
def test_replaced_lookup_decides_the_user(
    mechanism: type[SessionAuth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`user_id_for_session_id` alone determines whose session it is."""
    monkeypatch.setenv("SESSION_NAME", "_my_session_id")
    user = User()
    user.save()

    class AnyCookie(mechanism):  # type: ignore[misc, valid-type]
        """A mechanism for which every cookie means the same user."""

        def user_id_for_session_id(self, session_id: Any = None) -> Any:
            """Return the one user's id for anything but nothing."""
            return None if session_id is None else user.id

    class NoCookie(mechanism):  # type: ignore[misc, valid-type]
        """A mechanism for which no cookie means a user."""

        def user_id_for_session_id(self, session_id: Any = None) -> Any:
            """Return `None`."""
            return None

    assert AnyCookie().current_user(with_session("anything")) == user
    assert AnyCookie().current_user(with_session(None)) is None
    session_id = NoCookie().create_session(user.id)
    assert NoCookie().current_user(with_session(session_id)) is None
    assert NoCookie().destroy_session(with_session(session_id)) is False
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


def test_session_duration_can_be_changed_any_time(any_database: str) -> None:
    """`session_duration` is read on each look-up."""
    auth = SessionDBAuth()
    past = datetime.now(timezone.utc) - timedelta(seconds=61)
    UserSession(user_id="abcde", session_id="old", created_at=past).save()
    for duration, user in ((60, None), (120, "abcde"), (0, "abcde")):
        auth.session_duration = duration
        assert auth.user_id_for_session_id("old") == user

#!/usr/bin/env python3
"""Disabling, enabling and inviting users: sessions in memory and log."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, stored_user
from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from vestibule.accounts import authentication
from vestibule.accounts.authentication import HashQueue, check_credentials
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.users import disable, enable, invite
from vestibule.core import clock
from vestibule.core.errors import Throttled
from vestibule.db import user_status
from vestibule.db.models.user import User
from vestibule.sessions.session import EndReason

Logged = Callable[[], list[dict[str, Any]]]


def test_throttled_attempt_takes_no_place_in_hash_queue(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A throttled client gets the wait, even while the queue is full."""
    monkeypatch.setenv("THROTTLE", "on")
    user, actor = stored_user(), Actor(address="192.0.2.7")
    email = str(user.email)
    for _ in range(4):
        assert check_credentials([user], email, "wrong", actor=actor) is None
    full = HashQueue(1, 0)
    monkeypatch.setattr(authentication, "hash_queue", lambda: full)
    with full.turn(), pytest.raises(Throttled):
        check_credentials([user], email, PASSWORD, actor=actor)


def test_right_password_of_disabled_user_counts_as_wrong(
    logged: Logged,
) -> None:
    """The check returns no user and logs a failed login."""
    user = stored_user()
    user_status.disable(user.id, clock.now(), EndReason.USER_DISABLED)
    found = User.search({"id": user.id})
    email = str(user.email)
    assert check_credentials(found, email, PASSWORD, actor=LOCAL) is None
    assert logged()[-1]["event"] == "login_failed"


def test_enabling_user_ends_session_left_in_memory(build: Build) -> None:
    """A login in progress may start a session while the user is disabled."""
    service, user = build("session_auth"), stored_user()
    store = service.mechanism.store
    disable(user, store)
    left = service.mechanism.create_session(user.id)
    enable(user, store)
    assert store.find(left) is None
    assert store.reason(left) is EndReason.USER_DISABLED


def test_disabling_user_removes_sessions_from_memory(build: Build) -> None:
    """The store has them no longer; they are not only refused."""
    service, user = build("session_auth"), stored_user()
    store = service.mechanism.store
    session_id = service.mechanism.create_session(user.id)
    disable(user, store)
    assert sessions_in(store, user.id) == []
    assert store.reason(session_id) is EndReason.USER_DISABLED


def test_invitation_logs_user_and_code(logged: Logged) -> None:
    """Both events name the new user and the admin."""
    admin = stored_user("admin")
    invited = invite("new@example.com", actor=Actor(id=admin.id)).user
    events = [(x["event"], x["user"], x["by"]) for x in logged()[-2:]]
    assert events == [
        ("user_added", invited.id, admin.id),
        ("reset_code_issued", invited.id, admin.id),
    ]

#!/usr/bin/env python3
"""Logins that wait for a second factor, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.core import clock
from vestibule.db import pending_logins
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.pending_logins import MAX_PENDING_LOGINS, PendingLogin

pytestmark = pytest.mark.usefixtures("any_database")


def waiting(digest: str, user_id: str = "1") -> PendingLogin:
    """Store a login that waits, and return it."""
    login = PendingLogin(user_id, "of a password", clock.now())
    pending_logins.add(digest, login)
    return login


def test_login_waits_for_ten_minutes(set_clock: SetClock) -> None:
    """It is found until then, and not by another cookie."""
    login = waiting("a")
    set_clock.advance(599)
    assert pending_logins.find("a", clock.now()) == login
    assert pending_logins.find("b", clock.now()) is None
    set_clock.advance(1)
    assert pending_logins.find("a", clock.now()) is None


def test_login_from_the_future_does_not_count(set_clock: SetClock) -> None:
    """A clock that was set back must not keep it open for longer."""
    waiting("a")
    set_clock.advance(-9)
    assert pending_logins.find("a", clock.now()) is not None
    set_clock.advance(-2)
    assert pending_logins.find("a", clock.now()) is None


def test_login_is_used_once(set_clock: SetClock) -> None:
    """Of eight uses at the same time, one deletes it."""
    waiting("a")
    waiting("b")
    assert at_once(8, lambda _: pending_logins.use("a")).count(True) == 1
    assert pending_logins.find("a", clock.now()) is None
    assert pending_logins.find("b", clock.now()) is not None


def test_user_has_a_limited_number(set_clock: SetClock) -> None:
    """One more ends the oldest of the same user alone."""
    waiting("other", "2")
    for number in range(MAX_PENDING_LOGINS + 1):
        set_clock.advance(1)
        waiting(f"{number:03}")
    assert pending_logins.find("000", clock.now()) is None
    for digest in ("001", f"{MAX_PENDING_LOGINS:03}", "other"):
        assert pending_logins.find(digest, clock.now()) is not None


def test_purge_deletes_what_cannot_continue(set_clock: SetClock) -> None:
    """Old ones go, and those from the future; the others stay."""
    waiting("old")
    set_clock.advance(601)
    waiting("new")
    pending_logins.add(
        "future",
        PendingLogin("1", "x", clock.now() + timedelta(seconds=11)),
    )
    assert pending_logins.purge(clock.now()) == 2
    left = database().fetch_all(
        text("SELECT cookie_digest FROM pending_logins")
    )
    assert [row[0] for row in left] == ["new"]


def test_login_is_deleted_with_its_user(set_clock: SetClock) -> None:
    """A removed user leaves nothing that waits."""
    user = User(email="bob@example.com")
    user.save()
    waiting("a", user.id)
    waiting("b")
    user.remove()
    assert pending_logins.find("a", clock.now()) is None
    assert pending_logins.find("b", clock.now()) is not None

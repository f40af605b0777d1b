#!/usr/bin/env python3
"""Events at the desk: rare ones, the command line's, and their filter."""

import re
from datetime import timedelta
from urllib.parse import quote

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import House, stored_user
from tests.app.web.test_desk import shown, signed_in
from tests.app.web.visitor import Page
from tests.clocks import SetClock
from vestibule.core import clock
from vestibule.db import events
from vestibule.db.events import Event
from vestibule.db.models.user import User


@pytest.fixture
def house(build: Build, moved_clock: SetClock) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def test_rare_events_of_a_user_of_many(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that looked at all it may says so, and leads on; a file of
    them has all.
    """
    monkeypatch.setattr(events, "MAX_ROWS_SCANNED", 3)
    user, now = stored_user(), clock.now()
    events.insert_events(
        [Event(now, "login_failed", user.id)]
        + [
            Event(now + timedelta(seconds=i), "login", user.id)
            for i in range(1, 6)
        ]
    )
    visitor = signed_in(house, stored_user("admin"))
    query = f"user={user.id}&kind=login_failed"
    more = "No results so far, but there are more entries to search."
    text = shown(visitor, f"/admin/users/{user.id}")
    assert f"Failed attempts {more}All failed attempts" in text
    answer = visitor.get(f"/admin/events?{query}")
    assert more in answer.text and "/admin/events/export?" in answer.text
    (after,) = re.findall(r"after=([^\"&]+)", answer.text)
    last = shown(visitor, f"/admin/events?{query}&after={after}")
    assert "A wrong password was entered Check this" in last
    assert "Next page" not in last
    sent = visitor.get(f"/admin/events/export?format=jsonl&{query}")
    assert sent.text.count("login_failed") == 1


def test_who_was_at_the_command_line_is_no_user(house: House) -> None:
    """The name is text, even if a script gave somebody this id."""
    user = stored_user()
    User(id="cli:root", email="eve@example.com").save()
    events.insert_events(
        [Event(clock.now(), "user_disabled", user.id, "cli:root")]
    )
    visitor = signed_in(house, stored_user("admin"))
    for path in ("/admin/events", f"/admin/users/{user.id}"):
        assert "The account was disabled" in shown(visitor, path)
        assert "by cli:root" in shown(visitor, path)
        text = visitor.get(path).text
        assert "/admin/users/cli" not in text and "eve@" not in text


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("", ""),
        ("x", ""),
        ("<b>", ""),
        ("2026-03-29T02:30", "2026-03-29T02:30:00"),
        ("2026-03-29T02:30:15+02:00", "2026-03-29T00:30:15"),
        ("2026-03-29T02:30:15.5Z", "2026-03-29T02:30:15.500000"),
        ("0001-01-01T00:00+14:00", ""),
    ],
)
def test_moments_are_as_their_fields_take_them(
    house: House, typed: str, value: str
) -> None:
    """A browser drops any other value, and with it the filter."""
    visitor = signed_in(house, stored_user("admin"))
    answer = visitor.get(f"/admin/events?since={quote(typed)}")
    assert Page(answer).fields()["since"]["value"] == value
    assert answer.status_code == (400 if typed and not value else 200)

#!/usr/bin/env python3
"""Events on the admin pages: scan limit, actors and filters."""

import re
from datetime import timedelta
from urllib.parse import quote

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Page, signed_in
from tests.app.web.test_admin_pages import shown
from tests.clocks import SetClock
from vestibule.core import clock
from vestibule.db import events, keyset
from vestibule.db.events import Event
from vestibule.db.models.user import User


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def test_scan_limit_is_shown_and_continued(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so and links on; the export has all events."""
    monkeypatch.setattr(events, "MAX_ROWS_SCANNED", 3)
    monkeypatch.setattr(keyset, "MAX_ROWS_SCANNED", 3)
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", 0)
    user, now = stored_user(), clock.now()
    events.insert_events(
        [Event(now, "login_failed", user.id)]
        + [
            Event(now + timedelta(seconds=i), "login", user.id)
            for i in range(1, 6)
        ]
    )
    browser = signed_in(service, stored_user("admin"))
    query = f"user={user.id}&kind=login_failed"
    more = "No results so far, but there are more entries to search."
    text = shown(browser, f"/admin/users/{user.id}")
    assert "A wrong password was entered Review" in text
    answer = browser.get(f"/admin/events?{query}")
    assert more in answer.text and "/admin/events/export?" in answer.text
    (after,) = re.findall(r"after=([^\"&]+)", answer.text)
    last = shown(browser, f"/admin/events?{query}&after={after}")
    assert "A wrong password was entered Review" in last
    assert "Next page" not in last
    sent = browser.get(f"/admin/events/export?format=jsonl&{query}")
    assert sent.text.count("login_failed") == 1


def test_command_line_actor_is_not_linked_as_user(service: Service) -> None:
    """The name stays text, even if a script gave a user this id."""
    user = stored_user()
    User(id="cli:root", email="eve@example.com").save()
    events.insert_events(
        [Event(clock.now(), "user_disabled", user.id, "cli:root")]
    )
    browser = signed_in(service, stored_user("admin"))
    for path in ("/admin/events", f"/admin/users/{user.id}"):
        assert "The account was disabled" in shown(browser, path)
        assert "by cli:root" in shown(browser, path)
        text = browser.get(path).text
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
def test_time_filter_is_a_valid_field_value(
    service: Service, typed: str, value: str
) -> None:
    """A browser would drop any other value, and the filter with it."""
    browser = signed_in(service, stored_user("admin"))
    answer = browser.get(f"/admin/events?since={quote(typed)}")
    assert Page(answer).fields()["since"]["value"] == value
    assert answer.status_code == (400 if typed and not value else 200)

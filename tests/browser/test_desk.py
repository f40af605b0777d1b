#!/usr/bin/env python3
"""The admin's desk in Chromium: from finding somebody to ending it all."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD, PHONE, enter, sign_in
from tests.serving import Server
from vestibule.accounts.users import set_role
from vestibule.audit.writer import SESSIONS
from vestibule.core import clock
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


def prepare(bob: User) -> None:
    """Store sessions, events and sums for the pages to show."""
    now = clock.now()
    for number in range(3):
        UserSession(
            user_id=bob.id,
            session_id=f"{bob.id}{number}",
            user_agent=PHONE,
            ip=f"192.0.2.{number}",
            method="password",
        ).save()
    events.insert_events(
        [
            Event(
                now - timedelta(hours=number),
                kind,
                bob.id,
                ip="2001:db8::7",
                network="2001:db8::/64",
                user_agent=PHONE,
                times=number + 1,
            )
            for number, kind in enumerate(("login", "login_failed") * 9)
        ]
    )
    hourly_counts.set_gauge({Bucket(hour_of(now), SESSIONS): 40})


def test_a_new_admin_finds_and_ends_what_is_wrong(
    house: Server, visit: Visit, bob: User, chief: User
) -> None:
    """A user is found, a session ended, the user disabled, the events
    taken home; by links and buttons alone.
    """
    prepare(bob)
    visitor = visit(house)
    sign_in(visitor, chief)
    visitor.follow("Admin")
    visitor.fill(q=str(bob.email)[:9])
    visitor.press("Search")
    visitor.follow(str(bob.email))
    visitor.sees("Chrome on Android")
    rows = visitor.page.locator("a.danger", has_text="End…")
    expect(rows).to_have_count(3)
    rows.first.click()
    visitor.sees("signed out immediately")
    visitor.press("End this session")
    visitor.sees("The session was ended.")
    expect(rows).to_have_count(2)
    visitor.follow("Disable…")
    visitor.press("Disable")
    visitor.sees("The user was disabled and signed out.")
    visitor.sees("There are no live sessions.")
    visitor.follow("All events of this user")
    visitor.sees("by")
    with visitor.page.expect_download() as caught:
        visitor.follow("JSON")
    lines = Path(caught.value.path()).read_text().splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {bob.id}
    assert len(lines) >= 20


def test_somebody_is_added_without_scripts(
    house: Server, visit: Visit, chief: User
) -> None:
    """The admin gets a code, and the new user comes in by it."""
    email = f"new-{os.urandom(4).hex()}@example.com"
    visitor = visit(house, java_script_enabled=False)
    enter(visitor, chief)
    visitor.open("/admin")
    visitor.follow("Add a user…")
    visitor.fill(email=email, first_name="New")
    visitor.press("Add the user")
    visitor.sees("The user was added")
    code = visitor.page.locator("#code").inner_text()
    assert re.fullmatch(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}", code)
    other = visitor.companion(java_script_enabled=False)
    other.open("/reset")
    other.fill(email=email, code=code, new_password=PASSWORD)
    other.press("Set the password")
    other.is_at("/sign-in")
    other.sign_in(email, PASSWORD)
    other.open("/admin", 403)


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_everybody_is_signed_out(
    open_house: Open, visit: Visit, script: bool
) -> None:
    """Once the name was typed; then the admin is a stranger too."""
    house = open_house()
    admin = settle("ada@example.com")
    set_role(admin, "admin")
    visitor = visit(house, java_script_enabled=script)
    other = visitor.companion()
    enter(visitor, admin)
    enter(other, settle("bob@example.com"))
    other.open("/account")
    visitor.open("/admin/sessions")
    visitor.follow("End all sessions of all users…")
    visitor.fill(name="yes")
    visitor.press("End all sessions")
    visitor.sees("This is not the name of the service.")
    other.open("/account")
    visitor.fill(name="vestibule")
    visitor.press("End all sessions")
    visitor.is_at("/sign-in")
    visitor.sees("An administrator ended this session.")
    other.page.reload()
    other.is_at("/sign-in")
    assert UserSession.count() == 0

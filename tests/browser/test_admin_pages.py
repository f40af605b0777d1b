#!/usr/bin/env python3
"""The admin pages: whole tasks, from finding a user to ending sessions."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser
from tests.browser.scenes import PASSWORD, PHONE, add_session, sign_in
from tests.serving import Server
from vestibule.audit.writer import SESSIONS
from vestibule.core import clock
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


def prepare(bob: User) -> None:
    """Store sessions, events and counts for the pages to show."""
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


def test_admin_finds_and_disables_a_user(
    server: Server, open_browser: OpenBrowser, bob: User, admin: User
) -> None:
    """The admin ends a session, disables the user and exports the events.

    Links and buttons alone lead there.
    """
    prepare(bob)
    browser = open_browser(server)
    sign_in(browser, admin)
    browser.click_link("Admin")
    browser.fill(q=str(bob.email)[:9])
    browser.click_button("Search")
    browser.click_link(str(bob.email))
    browser.expect_text("Chrome on Android")
    rows = browser.page.locator("td.pick input")
    expect(rows).to_have_count(3)
    rows.first.check()
    browser.click_button("Sign out selected…")
    browser.expect_text("signed out immediately")
    main = browser.page.get_by_role("main")
    main.get_by_role("button", name="Sign out", exact=True).click()
    browser.expect_text("The session was signed out.")
    expect(rows).to_have_count(2)
    browser.click_link("Disable…")
    browser.click_button("Disable")
    browser.expect_text("The user was disabled and signed out.")
    browser.expect_text("No active sessions.")
    browser.click_link("All events of this user")
    browser.expect_text("by")
    with browser.page.expect_download() as caught:
        browser.click_link("JSON")
    lines = Path(caught.value.path()).read_text().splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {bob.id}
    assert len(lines) >= 20


def test_added_user_signs_in_with_code_without_scripts(
    server: Server, open_browser: OpenBrowser, admin: User
) -> None:
    """The admin gets a code, and the new user sets a password with it."""
    email = f"new-{os.urandom(4).hex()}@example.com"
    browser = open_browser(server, java_script_enabled=False)
    add_session(browser, admin)
    browser.open("/admin")
    browser.click_link("Add a user…")
    browser.fill(email=email, first_name="New")
    browser.click_button("Add the user")
    browser.expect_text("The user was added")
    code = (browser.page.locator("#code").text_content() or "").strip()
    assert re.fullmatch(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}", code)
    other = browser.open_another(java_script_enabled=False)
    other.open("/reset")
    other.fill(email=email, code=code, new_password=PASSWORD)
    other.click_button("Set the password")
    other.expect_path("/account")
    other.open("/admin", 403)

#!/usr/bin/env python3
"""The list of sessions: one browser ends the sessions of others."""

import re

import pytest
import requests
from playwright.sync_api import Locator, expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.scenes import PASSWORD, PHONE
from tests.serving import LOGIN, Server
from vestibule.db.models.user import User

SESSIONS = "/account/sessions"


def signed_in(browser: Browser, user: User) -> Browser:
    """Sign a user in, and return the browser."""
    assert user.email is not None
    browser.sign_in(user.email, PASSWORD)
    return browser


def rows(browser: Browser) -> Locator:
    """Return the sessions that the page lists."""
    return browser.page.locator("ul.rows > li")


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_ended_session_signs_the_other_browser_out(
    server: Server, open_browser: OpenBrowser, bob: User, script: bool
) -> None:
    """The other browser shows the reason at its next click."""
    laptop = signed_in(open_browser(server, java_script_enabled=script), bob)
    phone = signed_in(
        open_browser(server, java_script_enabled=script, user_agent=PHONE), bob
    )
    laptop.click_link("Sessions")
    laptop.expect_path(SESSIONS)
    expect(rows(laptop)).to_have_count(2)
    own, other = rows(laptop).all()
    expect(own).to_contain_text("on Linux")
    expect(own).to_contain_text("This session")
    expect(own.get_by_role("button")).to_have_count(0)
    expect(other).to_contain_text("Chrome on Android")
    expect(other).to_contain_text("127.0.0.1")
    other.get_by_role("link", name="Sign out").click()
    laptop.page.locator("main").get_by_role("button", name="Sign out").click()
    expect(rows(laptop)).to_have_count(1)
    expect(laptop.page.get_by_role("status")).to_contain_text("signed out")
    phone.click_link("Sessions")
    phone.expect_path("/sign-in")
    phone.expect_text("You ended this session from another device.")
    laptop.open("/account")


def test_ending_a_session_needs_confirmation(
    server: Server, open_browser: OpenBrowser, bob: User
) -> None:
    """One click ends nothing, and Cancel leads back to the list."""
    laptop = signed_in(open_browser(server), bob)
    phone = signed_in(open_browser(server, user_agent=PHONE), bob)
    laptop.open(SESSIONS)
    main = laptop.page.locator("main")
    main.get_by_role("link", name="Sign out").first.click()
    expect(main.get_by_role("button", name="Sign out")).to_be_visible()
    main.get_by_role("link", name="Cancel").click()
    laptop.expect_path(SESSIONS)
    expect(rows(laptop)).to_have_count(2)
    phone.open("/account")


def test_times_are_relative_and_exact(
    server: Server, open_browser: OpenBrowser, bob: User
) -> None:
    """Both are text: touch and keyboard reach no tooltip."""
    browser = signed_in(open_browser(server), bob)
    browser.open(SESSIONS)
    first = rows(browser).first
    for moment in first.locator("time").all():
        expect(moment).to_have_text(
            re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
        )
    expect(first).to_contain_text(re.compile(r"\((\d+ seconds? ago|now)\)"))


@pytest.mark.parametrize(
    "user_agent",
    [
        "<script>alert(1)</script>",
        '"><img src=/x onerror=alert(1)>',
        "\u202egnp.exe".encode().decode("latin-1"),
        # nginx refuses header lines above 8 KiB.
        "x" * 7_000,
        "{{ 7*7 }}",
    ],
)
def test_any_user_agent_is_shown_as_text(
    server: Server, open_browser: OpenBrowser, bob: User, user_agent: str
) -> None:
    """No page breaks or runs the text of a User-Agent header."""
    laptop = signed_in(open_browser(server), bob)
    answer = requests.post(
        laptop.url + LOGIN,
        data={"email": bob.email, "password": PASSWORD},
        headers={"User-Agent": user_agent},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    for path in (SESSIONS, "/account/activity"):
        laptop.open(path)
        assert laptop.overflow() <= 0
        assert laptop.page.locator("main script, main img").count() == 0

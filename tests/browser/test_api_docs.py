#!/usr/bin/env python3
"""The API documentation page: a user signs in there and sends requests."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, StartServer
from tests.browser.scenes import PASSWORD
from tests.serving import Server
from vestibule.db.models.user import User

PHONE = {"viewport": {"width": 360, "height": 740}}


def operation(browser: Browser, name: str) -> Locator:
    """Open the section of one operation."""
    entry = browser.page.locator(f"#{name}")
    entry.locator("summary").first.click()
    return entry


def sign_in(browser: Browser, email: str, password: str) -> None:
    """Sign in with the form of the page."""
    browser.fill(email=email, password=password)
    browser.click_button("Sign in")


@pytest.mark.parametrize(
    "options", [{}, {**PHONE, "color_scheme": "dark"}], ids=["wide", "phone"]
)
def test_requests_use_the_session_cookie(
    open_browser: OpenBrowser,
    server: Server,
    bob: User,
    options: dict[str, object],
) -> None:
    """The same request fails before sign-in and works after it."""
    browser = open_browser(server, **options)
    browser.open("/docs")
    browser.expect_text("You are not signed in.")
    entry = operation(browser, "showMe")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry).to_contain_text("401")
    sign_in(browser, str(bob.email), "wrong password")
    browser.expect_text("wrong password")
    sign_in(browser, str(bob.email), PASSWORD)
    browser.expect_text(f"Signed in as {bob.email}.")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry.locator("pre").first).to_contain_text(bob.id)
    entry = operation(browser, "nameUser")
    entry.locator("input[name='user_id']").fill(bob.id)
    entry.locator("textarea").fill('{"first_name": "Bob"}')
    entry.get_by_role("button", name="Send PUT").click()
    expect(entry.locator("pre").first).to_contain_text('"Bob"')
    assert browser.axe_violations() == []
    assert browser.overflow() == 0
    browser.click_button("Sign out")
    browser.expect_text("You are not signed in.")
    loaded = User.get(bob.id)
    assert loaded is not None
    assert loaded.first_name == "Bob"


def test_operations_are_searched(
    open_browser: OpenBrowser, server: Server
) -> None:
    """The page says so if no operation matches."""
    browser = open_browser(server)
    browser.open("/docs")
    shown = browser.page.locator(".operation:visible")
    field = browser.page.get_by_role("searchbox")
    expect(shown.first).to_be_visible()
    field.fill("password-reset")
    expect(shown).to_have_count(1)
    field.fill("nothing of this kind")
    browser.expect_text("None.")


def test_requests_use_basic_credentials(
    open_browser: OpenBrowser, start_server: StartServer
) -> None:
    """They stay within the page, and signing out removes them."""
    server = start_server(AUTH_TYPE="basic_auth", WEB_PAGES="off")
    user = User(email="bob@example.com")
    user.password = PASSWORD
    user.save()
    browser = open_browser(server)
    browser.open("/docs")
    sign_in(browser, "bob@example.com", "wrong password")
    browser.expect_text("wrong email or password")
    sign_in(browser, "bob@example.com", PASSWORD)
    browser.expect_text("Signed in as bob@example.com.")
    entry = operation(browser, "listUsers")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry.locator("pre").first).to_contain_text(user.id)
    browser.click_button("Sign out")
    browser.expect_text("You are not signed in.")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry).to_contain_text("401")

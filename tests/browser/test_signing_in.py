#!/usr/bin/env python3
"""Signing in and out, and the errors on the way."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser
from tests.browser.scenes import PASSWORD
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User

WRONG = "The email or the password is wrong."


def email_of(user: User) -> str:
    """Return the email, which each user of these tests has."""
    assert user.email is not None
    return user.email


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_sign_in_and_out_from_the_root(
    server: Server, open_browser: OpenBrowser, bob: User, script: bool
) -> None:
    """The root leads to sign-in or the account; going back shows nothing."""
    browser = open_browser(server, java_script_enabled=script)
    browser.goto("/")
    browser.expect_path("/sign-in")
    browser.fill(email=email_of(bob), password=PASSWORD)
    browser.click_button("Sign in")
    browser.expect_path("/account")
    browser.goto("/")
    browser.expect_path("/account")
    browser.click_button("Sign out")
    browser.expect_path("/signed-out")
    browser.expect_text("You are signed out")
    browser.goto("/account")
    browser.expect_path("/sign-in")
    # The Back button must not show the page again.
    browser.page.go_back()
    browser.page.reload()
    assert "/account" not in browser.page.url.partition("?")[0]


def test_sign_in_by_keyboard(
    server: Server, open_browser: OpenBrowser, bob: User
) -> None:
    """The first field has the focus, and Enter sends the form."""
    browser = open_browser(server)
    browser.open("/sign-in")
    keyboard = browser.page.keyboard
    keyboard.type(email_of(bob))
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    browser.expect_path("/account")
    keyboard.press("Tab")
    skip = browser.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()


def test_alert_has_the_focus(
    server: Server, open_browser: OpenBrowser, bob: User
) -> None:
    """A screen reader reads it out immediately."""
    browser = open_browser(server)
    browser.open("/sign-in")
    browser.fill(email=email_of(bob), password="wrong password")
    browser.click_button("Sign in")
    expect(browser.page.get_by_role("alert")).to_be_focused()


def test_password_can_be_shown_and_hidden(
    server: Server, open_browser: OpenBrowser
) -> None:
    """The label of the button says what it does."""
    browser = open_browser(server)
    browser.open("/sign-in")
    field = browser.page.locator("input[name='password']")
    button = browser.page.get_by_role("button", name=re.compile("Show"))
    expect(field).to_have_attribute("type", "password")
    button.click()
    expect(field).to_have_attribute("type", "text")
    browser.page.get_by_role("button", name=re.compile("Hide")).click()
    expect(field).to_have_attribute("type", "password")


def test_password_can_be_pasted(
    server: Server, open_browser: OpenBrowser
) -> None:
    """Password managers work."""
    browser = open_browser(server)
    browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    browser.open("/sign-in")
    browser.page.evaluate("navigator.clipboard.writeText('pasted')")
    field = browser.page.locator("input[name='password']")
    field.focus()
    browser.page.keyboard.press("Control+V")
    expect(field).to_have_value("pasted")
    expect(field).to_have_attribute("autocomplete", "current-password")


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "https://evil.example",
        "%2F%2Fevil.example",
        "/%09/evil.example",
        "\t//evil.example",
        "/\t/evil.example",
        "data:text/html,x",
        "\\\\evil.example",
        "/%5Cevil.example/..//x",
    ],
)
def test_unsafe_return_to_stays_on_the_site(
    server: Server, open_browser: OpenBrowser, bob: User, address: str
) -> None:
    """An unsafe address leads to the account page or to a 404 page.

    The browser records each request to another host as a problem.
    """
    browser = open_browser(server)
    # Below a path, a safe address may be one beside it.
    host = re.match("http://[^/]+", browser.url)
    assert host is not None
    browser.site = host[0]
    for encoded in {address, address.replace("%", "%25")}:
        browser.goto(f"/sign-in?return_to={encoded}")
        browser.fill(email=email_of(bob), password=PASSWORD)
        browser.click_button("Sign in")
        browser.page.wait_for_url(lambda url: "/sign-in" not in url)
        assert browser.page.url.startswith(f"{browser.site}/")
        browser.context.clear_cookies(name=COOKIE)

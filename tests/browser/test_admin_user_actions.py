#!/usr/bin/env python3
"""What admins do to users, with scripts and without."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.populated_server import fail_to_sign_in
from tests.browser.scenes import PASSWORD, add_session
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User

NEW = "seven kites and an umbrella"
with_and_without_scripts = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "none"]
)


def user_path(user: User) -> str:
    """Return the path of the admin page of a user."""
    return f"/admin/users/{user.id}"


def expect_status(browser: Browser, text: str) -> None:
    """Wait until the page shows this success message."""
    expect(browser.page.get_by_role("status")).to_have_text(text)


def link(browser: Browser, name: str) -> Locator:
    """Return the links with this name."""
    return browser.page.get_by_role("link", name=name, exact=True)


def expect_signed_out(browser: Browser, why: str) -> None:
    """Check that a browser is signed out and shows the reason."""
    browser.goto("/account")
    browser.expect_path("/sign-in")
    browser.expect_text(why)


def test_user_is_disabled_and_enabled(
    admin_browser: Browser, bob: User
) -> None:
    """The admin confirms the action; the password stays the same."""
    other = admin_browser.open_another()
    add_session(other, bob)
    admin_browser.open(user_path(bob))
    admin_browser.click_link("Disable…")
    admin_browser.expect_text("All sessions are signed out immediately")
    admin_browser.click_link("Cancel")
    admin_browser.expect_path(user_path(bob))
    other.open("/account")
    admin_browser.click_link("Disable…")
    admin_browser.click_button("Disable")
    expect_status(admin_browser, "The user was disabled and signed out.")
    expect(admin_browser.page.locator(".lead .badge")).to_have_text("Disabled")
    expect_signed_out(other, "Your account is disabled.")
    other.fill(email=str(bob.email), password=PASSWORD)
    other.click_button("Sign in")
    other.expect_text("The email or the password is wrong.")
    admin_browser.click_link("Enable…")
    admin_browser.click_button("Enable")
    expect_status(admin_browser, "The user can sign in again.")
    expect(admin_browser.page.locator(".lead .badge")).to_have_count(0)
    other.sign_in(str(bob.email), PASSWORD)


def test_sign_in_is_unlocked(admin_browser: Browser, bob: User) -> None:
    """The wait is shown until the admin resets the failed attempts."""
    fail_to_sign_in(bob)
    admin_browser.open(user_path(bob))
    admin_browser.expect_text("Must wait")
    admin_browser.click_link("Unblock sign-in…")
    admin_browser.click_button("Unblock sign-in")
    expect_status(admin_browser, "Sign-in was unblocked for this user.")
    expect(admin_browser.page.locator("main")).not_to_contain_text("Must wait")
    expect(link(admin_browser, "Unblock sign-in…")).to_have_count(0)


def test_reset_code_is_shown_once(admin_browser: Browser, bob: User) -> None:
    """The user sets a new password with the code and is signed in."""
    admin_browser.open(user_path(bob))
    admin_browser.click_link("Create reset code…")
    expect(admin_browser.page.locator("#code")).to_have_count(0)
    admin_browser.click_button("Create the code")
    code = (admin_browser.page.locator("#code").text_content() or "").strip()
    other = admin_browser.open_another()
    other.open("/reset")
    other.fill(email=str(bob.email), code=code, new_password=NEW)
    other.click_button("Set the password")
    other.expect_path("/account")
    admin_browser.click_link("Done")
    admin_browser.expect_path(user_path(bob))
    assert code not in admin_browser.page.content()


@with_and_without_scripts
def test_action_after_an_old_login_needs_the_password(
    server: Server,
    open_browser: OpenBrowser,
    admin: User,
    bob: User,
    script: bool,
) -> None:
    """Only the admin's password is accepted, and lasts for some minutes."""
    browser = open_browser(server, java_script_enabled=script)
    add_session(browser, admin, hours=1)
    (before,) = browser.context.cookies()
    browser.open(user_path(bob))
    browser.click_link("Make an administrator…")
    button, field = (
        "Make an administrator",
        browser.page.get_by_label("Your password", exact=True),
    )
    expect(field).to_have_attribute("type", "password")
    browser.click_button(button)
    # The browser sends no form with an empty field.
    expect(browser.page.locator("input:invalid")).to_have_count(1)
    browser.fill(password="wrong password")
    browser.click_button(button)
    browser.expect_text("This is not your password.")
    expect(field).to_have_value("")
    stored = User.get(bob.id)
    assert stored is not None and stored.role == "member"
    browser.fill(password=PASSWORD)
    browser.click_button(button)
    expect_status(browser, "The role was changed.")
    browser.click_link("Remove administrator role…")
    browser.expect_text("Remove the administrator role?")
    expect(field).to_have_count(0)
    browser.click_button("Remove the role")
    expect_status(browser, "The role was changed.")
    (after,) = (
        each
        for each in browser.context.cookies()
        if each.get("name") == COOKIE
    )
    assert after.get("value") != before.get("value")

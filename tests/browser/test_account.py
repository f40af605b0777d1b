#!/usr/bin/env python3
"""The account page: a user changes name, email and password."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, StartServer, add_user
from tests.browser.scenes import PASSWORD
from tests.serving import Server
from vestibule.db.models.user import User

NEW = "seven kites and an umbrella"
with_and_without_scripts = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "none"]
)


def expect_status(browser: Browser, text: str) -> None:
    """Wait until the page shows this success message."""
    expect(browser.page.get_by_role("status")).to_contain_text(text)


@with_and_without_scripts
def test_new_password_ends_other_sessions(
    server: Server, open_browser: OpenBrowser, bob: User, script: bool
) -> None:
    """A wrong or weak password is refused; a good one ends other sessions."""
    here = open_browser(server, java_script_enabled=script)
    there = open_browser(server, java_script_enabled=script)
    for browser in (here, there):
        browser.sign_in(str(bob.email), PASSWORD)
    here.fill(current_password="wrong password", new_password=NEW)
    here.click_button("Change the password")
    here.expect_text("This is not your password.")
    there.page.reload()
    there.expect_path("/account")
    here.fill(current_password=PASSWORD, new_password="password1234")
    here.click_button("Change the password")
    field = here.page.locator("input[name='new_password']")
    expect(field).to_have_attribute("aria-invalid", "true")
    here.fill(current_password=PASSWORD, new_password=NEW)
    here.click_button("Change the password")
    expect_status(here, "Your password was changed")
    there.click_link("Sessions")
    there.expect_path("/sign-in")
    there.expect_text("Your password was changed")
    there.fill(email=str(bob.email), password=PASSWORD)
    there.click_button("Sign in")
    there.expect_text("The email or the password is wrong.")
    there.fill(password=NEW)
    there.click_button("Sign in")
    there.expect_path("/account/sessions")


@with_and_without_scripts
def test_new_name_and_email_are_saved(
    server: Server, open_browser: OpenBrowser, bob: User, script: bool
) -> None:
    """The new name is shown immediately, and the new email signs in."""
    browser = open_browser(server, java_script_enabled=script)
    browser.sign_in(str(bob.email), PASSWORD)
    browser.fill(first_name="Bob", last_name="Builder")
    browser.click_button("Save the name")
    expect_status(browser, "Your name was saved.")
    expect(browser.page.locator("h1")).to_have_text("Bob Builder")
    browser.fill(email=f"new-{bob.email}")
    browser.click_button("Save the email")
    expect_status(browser, "Your email was saved.")
    browser.click_button("Sign out")
    browser.expect_path("/signed-out")
    browser.sign_in(f"new-{bob.email}", PASSWORD)


@with_and_without_scripts
def test_account_is_deleted_after_confirmation(
    server: Server, open_browser: OpenBrowser, bob: User, script: bool
) -> None:
    """The deleted user can no longer sign in."""
    browser = open_browser(server, java_script_enabled=script)
    browser.sign_in(str(bob.email), PASSWORD)
    browser.page.get_by_role("link", name=re.compile("Delete")).click()
    browser.expect_path("/account/delete")
    browser.click_link("Cancel")
    browser.expect_path("/account")
    browser.open("/account/delete")
    browser.click_button("Delete my account")
    browser.expect_path("/sign-in")
    expect_status(browser, "Your account was deleted.")
    assert User.get(bob.id) is None
    browser.fill(email=str(bob.email), password=PASSWORD)
    browser.click_button("Sign in")
    browser.expect_text("The email or the password is wrong.")


def test_changing_email_after_an_old_login_needs_the_password(
    start_server: StartServer, open_browser: OpenBrowser
) -> None:
    """A thief of an unlocked device cannot change the email."""
    server = start_server(REAUTH_WINDOW="1")
    bob = add_user("bob@example.com")
    browser = open_browser(server)
    browser.sign_in(str(bob.email), PASSWORD)
    field = browser.page.locator("input[name='password']")
    while not field.count():
        browser.page.reload()
    browser.fill(email="new@example.com", password="wrong password")
    browser.click_button("Save the email")
    browser.expect_text("This is not your password.")
    browser.fill(email="new@example.com", password=PASSWORD)
    browser.click_button("Save the email")
    expect_status(browser, "Your email was saved.")


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=/x onerror=alert(1)>',
        "\u202egnp.exe\u2066",
        "x" * 200,
        "{{ 7*7 }}",
        "\u0000n".strip("\0"),
        "\U0001f469\u200d\U0001f680" * 60,
        "a b " * 45,
        "&lt;b&gt;",
    ],
    ids=[
        "script",
        "image",
        "right to left",
        "long",
        "template",
        "short",
        "emoji",
        "words",
        "entities",
    ],
)
def test_any_name_is_shown_as_text(
    server: Server, open_browser: OpenBrowser, bob: User, name: str
) -> None:
    """The name is kept as typed, and no page breaks or runs it."""
    browser = open_browser(server)
    browser.sign_in(str(bob.email), PASSWORD)
    browser.fill(first_name=name, last_name=name)
    browser.click_button("Save the name")
    expect_status(browser, "Your name was saved.")
    field = browser.page.locator("input[name='first_name']")
    expect(field).to_have_value(name.strip())
    assert browser.page.locator("main script, main h1 img").count() == 0
    browser.page.set_viewport_size({"width": 360, "height": 800})
    for path in (
        "/account",
        "/account/sessions",
        "/account/activity",
        "/account/delete",
        "/sign-in",
        "/nowhere",
    ):
        browser.goto(path)
        assert browser.overflow() <= 0, path
    browser.open("/account")
    assert browser.axe_violations() == []


def test_double_submission_changes_the_password_once(
    server: Server, open_browser: OpenBrowser, bob: User
) -> None:
    """Two quick clicks, or going back, send the form only once."""
    browser = open_browser(server)
    browser.sign_in(str(bob.email), PASSWORD)
    browser.fill(current_password=PASSWORD, new_password=NEW)
    browser.page.get_by_role("button", name="Change the password").dblclick()
    expect_status(browser, "Your password was changed")
    browser.page.go_back()
    browser.expect_path("/account")
    browser.fill(current_password=PASSWORD, new_password=NEW)
    browser.click_button("Change the password")
    browser.expect_text("This is not your password.")

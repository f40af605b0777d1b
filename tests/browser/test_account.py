#!/usr/bin/env python3
"""The account page: a user changes name, email and password."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.scenes import PASSWORD, add_session
from tests.serving import Server
from vestibule.db.models.user import User

NEW = "seven kites and an umbrella"
with_and_without_scripts = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "none"]
)


def expect_status(browser: Browser, text: str) -> None:
    """Wait until the page shows this success message."""
    expect(browser.page.get_by_role("status")).to_contain_text(text)


@pytest.mark.usefixtures("admin")
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
    add_session(browser, bob)
    browser.open("/account")
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

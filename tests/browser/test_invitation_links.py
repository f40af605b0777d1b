#!/usr/bin/env python3
"""A link of an invitation fills its form in; without scripts it is typed."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser, add_user
from tests.browser.scenes import PASSWORD
from tests.serving import Server
from vestibule.accounts.recovery import link_path
from vestibule.accounts.users import invite
from vestibule.accounts.users import set_role as give_role
from vestibule.db.models.user import User


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_invited_person_is_signed_in_by_the_link(
    server: Server, open_browser: OpenBrowser, script: bool
) -> None:
    """With scripts, only the password is left to type."""
    email = f"invited-{script}@example.com"
    invited = invite(email)
    path = link_path(invited.user, invited.code.code)
    assert path is not None
    browser = open_browser(server, java_script_enabled=script)
    browser.goto(path)
    code, password = (
        browser.page.locator("#code"),
        browser.page.locator("#new_password"),
    )
    if script:
        expect(browser.page.get_by_label("Email")).to_have_value(email)
        expect(code).to_be_hidden()
        expect(password).to_be_focused()
        # A choice of the theme does not lose what the link has.
        browser.click_button("Apply")
        expect(code).to_have_value(invited.code.code)
    else:
        browser.page.get_by_label("Email").fill(email)
        code.fill(invited.code.code)
    password.fill(PASSWORD)
    browser.click_button("Set the password")
    browser.expect_path("/account")
    notice = browser.page.get_by_role("status")
    expect(notice).to_have_text("Your password is set. You are signed in.")
    expect(notice).to_be_focused()
    assert User.search({"email": email})[0].has_password


def test_admin_copies_the_link(
    server: Server, open_browser: OpenBrowser
) -> None:
    """The button says so, and the clipboard has the whole link."""
    admin = add_user("copying@example.com")
    give_role(admin, "admin")
    browser = open_browser(server)
    browser.page.context.grant_permissions(
        ["clipboard-read", "clipboard-write"]
    )
    browser.sign_in("copying@example.com", PASSWORD)
    browser.goto("/admin/users/add")
    browser.fill(email="copied@example.com")
    browser.click_button("Add the user")
    link = browser.page.get_by_label("Link").input_value()
    assert "/account/invitation#email=copied%40example.com&code=" in link
    browser.click_button("Copy the link")
    expect(browser.page.get_by_role("status")).to_have_text("Copied")
    copied = browser.page.evaluate("navigator.clipboard.readText()")
    assert copied == link

#!/usr/bin/env python3
"""A person with an authenticator app, who loses the phone and comes back."""

import base64

import pytest

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, StartServer, add_user
from tests.browser.scenes import PASSWORD
from vestibule.accounts import totp
from vestibule.core import clock
from vestibule.core.crypto import new_key

EMAIL = "bob@example.com"
#: The page that names why a page of a recovered session is closed.
CLOSED = "Until then the other pages stay closed."


class Phone:
    """An app that got its seed from the page that shows the key."""

    def __init__(self, browser: Browser) -> None:
        """Read the key as a person who cannot scan the QR code does."""
        key = browser.page.locator(".key").inner_text()
        self._seed = base64.b32decode(key.replace(" ", ""))
        #: The step whose code was used last.
        self._used = 0

    def code(self, offset: int) -> str:
        """Return the code of a step from now that was not used before.

        A step later than the last used one, so that the end of a step
        between two calls does not matter.
        """
        step = max(totp.step_at(clock.now()) + offset, self._used + 1)
        self._used = step
        return totp.hotp(self._seed, step)


def enroll(browser: Browser, name: str) -> Phone:
    """Set up an app on the page that is open; confirm it."""
    browser.fill(name=name)
    browser.click_button("Continue")
    browser.expect_path("/account/factors/confirm")
    phone = Phone(browser)
    browser.fill(code=phone.code(-1))
    browser.click_button("Confirm the app")
    return phone


def sign_in(browser: Browser) -> None:
    """Give the password, and wait for the second step."""
    browser.open("/sign-in")
    browser.fill(email=EMAIL, password=PASSWORD)
    browser.click_button("Sign in")
    browser.expect_path("/account/second-factor")


def sign_out(browser: Browser) -> None:
    """Sign out by the button of the page."""
    browser.click_button("Sign out")
    browser.expect_path("/signed-out")


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_lost_phone_is_replaced_by_a_recovery_code(
    start_server: StartServer, open_browser: OpenBrowser, script: bool
) -> None:
    """Enroll, sign in, lose the phone, come back, enroll a new one."""
    server = start_server(SECRETS_KEY=new_key())
    add_user(EMAIL)
    browser = open_browser(server, java_script_enabled=script)
    browser.sign_in(EMAIL, PASSWORD)
    browser.open("/account/factors")
    browser.click_link("Set up an app…")
    phone = enroll(browser, "old phone")
    browser.expect_text("They are shown only now.")
    codes = browser.page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    browser.click_link("I have saved them")
    sign_out(browser)
    sign_in(browser)
    browser.fill(code=phone.code(0))
    browser.click_button("Sign in")
    browser.expect_path("/account")
    sign_out(browser)
    # The phone is lost from here on.
    sign_in(browser)
    browser.click_link("Use a recovery code")
    browser.fill(recovery_code=codes[3].lower())
    browser.click_button("Sign in")
    browser.expect_path("/account/factors")
    browser.expect_text(CLOSED)
    browser.goto("/account/sessions")
    browser.expect_path("/account/factors")
    browser.click_link("Add another app…")
    new = enroll(browser, "new phone")
    browser.expect_path("/account/factors")
    browser.page.locator("li", has_text="old phone").get_by_role(
        "link", name="Remove…"
    ).click()
    browser.click_button("Remove the app")
    browser.expect_path("/account/factors")
    browser.expect_text("9 codes are left.")
    browser.open("/account")
    sign_out(browser)
    sign_in(browser)
    browser.fill(code=new.code(0))
    browser.click_button("Sign in")
    browser.expect_path("/account")

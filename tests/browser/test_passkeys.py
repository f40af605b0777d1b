#!/usr/bin/env python3
"""A passkey in Chromium, with a virtual authenticator of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import PAGES, add_user
from tests.browser.scenes import PASSWORD
from tests.ports import free_port
from tests.serving import Server
from vestibule.db import passkeys

EMAIL = "bob@example.com"


class Device:
    """The virtual authenticator of a page (CDP, WebAuthn domain)."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        """Add an authenticator of the device, which verifies the user."""
        self.session = browser.context.new_cdp_session(browser.page)
        self.session.send("WebAuthn.enable", {"enableUI": False})
        answer = self.session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                    **options,
                }
            },
        )
        self.id = answer["authenticatorId"]

    def set(self, command: str, **values: Any) -> None:
        """Change the authenticator."""
        place = {"authenticatorId": self.id}
        self.session.send(f"WebAuthn.{command}", place | values)

    def credentials(self) -> list[dict[str, Any]]:
        """Return the passkeys that it has."""
        place = {"authenticatorId": self.id}
        answer = self.session.send("WebAuthn.getCredentials", place)
        return list(answer["credentials"])


@pytest.fixture
def site(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server with passkeys for localhost; yield its address."""
    port = free_port()
    address = f"http://localhost:{port}"
    server = Server(
        tmp_path, **PAGES, API_PORT=str(port), PUBLIC_URL=address
    ).start()
    monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
    yield address
    assert server.stop() == 0


@pytest.fixture
def browser(chromium: Chromium, site: str) -> Iterator[Browser]:
    """Open a browser at the site."""
    opened = Browser(chromium, site)
    yield opened
    opened.close()


def enroll(browser: Browser) -> None:
    """Sign in with the password, and add a passkey."""
    browser.open("/sign-in")
    browser.fill(email=EMAIL, password=PASSWORD)
    browser.page.get_by_role("button", name="Sign in", exact=True).click()
    browser.expect_path("/account")
    browser.open("/account/factors/passkey")
    browser.fill(name="laptop")
    browser.click_button("Create the passkey")
    expect(browser.page.get_by_role("heading", level=1)).to_have_text(
        "Your recovery codes"
    )


def sign_out(browser: Browser) -> None:
    """Sign out on the account page."""
    browser.open("/account")
    browser.click_button("Sign out")
    browser.expect_path("/signed-out")


def test_passkey_in_a_browser(browser: Browser) -> None:
    """It is made, signs in alone, and is the second step of a password."""
    user = add_user(EMAIL)
    device = Device(browser)
    enroll(browser)
    (made,) = device.credentials()
    assert (made["isResidentCredential"], made["rpId"]) == (True, "localhost")
    browser.open("/account/factors")
    browser.expect_text("laptop")
    assert browser.axe_violations() == []
    # The same device gets no second one.
    browser.open("/account/factors/passkey")
    browser.fill(name="again")
    browser.click_button("Create the passkey")
    browser.expect_text("This device has a passkey of your account already.")
    sign_out(browser)
    device.set("setAutomaticPresenceSimulation", enabled=False)
    browser.open("/sign-in")
    device.set("setAutomaticPresenceSimulation", enabled=True)
    browser.click_button("Sign in with a passkey")
    browser.expect_path("/account")
    sign_out(browser)
    # Without verification it signs in no one alone.
    device.set("setAutomaticPresenceSimulation", enabled=False)
    browser.open("/sign-in")
    device.set("setUserVerified", isUserVerified=False)
    device.set("setAutomaticPresenceSimulation", enabled=True)
    browser.click_button("Sign in with a passkey")
    browser.expect_text("No passkey was used. You can try again.")
    browser.fill(email=EMAIL, password=PASSWORD)
    browser.page.get_by_role("button", name="Sign in", exact=True).click()
    browser.expect_path("/account/second-factor")
    device.set("setUserVerified", isUserVerified=True)
    browser.click_button("Use a passkey")
    browser.expect_path("/account")
    (stored,) = passkeys.of_user(user.id)
    assert stored.sign_count > 0


def test_security_key_without_verification(browser: Browser) -> None:
    """A key that cannot verify the user makes no passkey."""
    add_user(EMAIL)
    Device(
        browser,
        transport="usb",
        hasUserVerification=False,
        isUserVerified=False,
    )
    browser.open("/sign-in")
    browser.fill(email=EMAIL, password=PASSWORD)
    browser.page.get_by_role("button", name="Sign in", exact=True).click()
    browser.expect_path("/account")
    browser.open("/account/factors/passkey")
    browser.fill(name="key")
    browser.click_button("Create the passkey")
    browser.expect_text("No passkey was used. You can try again.")


def test_autofill_offers_the_passkey(browser: Browser) -> None:
    """The sign-in page asks for one as soon as it is open."""
    add_user(EMAIL)
    Device(browser)
    enroll(browser)
    sign_out(browser)
    browser.goto("/sign-in")
    browser.expect_path("/account")

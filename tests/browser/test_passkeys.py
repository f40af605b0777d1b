#!/usr/bin/env python3
"""Passkeys in Chromium, with virtual authenticators of several kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.browser import Browser
from tests.browser.conftest import add_user
from tests.browser.passkey_device import (
    EMAIL,
    NO_ANSWER,
    REFUSED,
    Device,
    ask_for_passkey,
    enroll,
    passkey_server,
    sign_in_with_password,
    sign_out,
    without_autofill,
)
from tests.serving import Server
from vestibule.db import passkeys


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """Run a server with passkeys for localhost."""
    with passkey_server(tmp_path) as started:
        monkeypatch.setenv("DATABASE_URL", started.env["DATABASE_URL"])
        yield started


@pytest.fixture
def browser(chromium: Chromium, server: Server) -> Iterator[Browser]:
    """Open a browser at the site."""
    opened = without_autofill(Browser(chromium, server.url))
    yield opened
    opened.close()


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
    browser.expect_text("This device already has a passkey for your account.")
    sign_out(browser)
    browser.open("/sign-in")
    browser.click_button("Sign in with a passkey")
    browser.expect_path("/account")
    sign_out(browser)
    # Without verification it signs in no one alone.
    device.set("setAutomaticPresenceSimulation", enabled=False)
    browser.open("/sign-in")
    device.set("setUserVerified", isUserVerified=False)
    device.set("setAutomaticPresenceSimulation", enabled=True)
    browser.click_button("Sign in with a passkey")
    browser.expect_text(NO_ANSWER)
    sign_in_with_password(browser)
    browser.expect_path("/account/second-factor")
    device.set("setUserVerified", isUserVerified=True)
    browser.click_button("Use a passkey")
    browser.expect_path("/account")
    (stored,) = passkeys.of_user(user.id)
    assert stored.sign_count > 0


KINDS = {
    "phone or computer": {"transport": "internal"},
    "security key with a PIN": {"transport": "usb"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_authenticator_that_verifies_the_user(
    browser: Browser, kind: str
) -> None:
    """It signs in alone, inside and outside of the computer."""
    user = add_user(EMAIL)
    Device(browser, **KINDS[kind])
    enroll(browser)
    sign_out(browser)
    browser.open("/sign-in")
    browser.click_button("Sign in with a passkey")
    browser.expect_path("/account")
    (stored,) = passkeys.of_user(user.id)
    assert KINDS[kind]["transport"] in stored.transports.split()


@pytest.mark.parametrize("kind", KINDS)
def test_authenticator_without_verification_makes_no_passkey(
    browser: Browser, kind: str
) -> None:
    """The browser gives no answer to what the page asks for."""
    user = add_user(EMAIL)
    Device(
        browser,
        **KINDS[kind],
        hasUserVerification=False,
        isUserVerified=False,
    )
    ask_for_passkey(browser, "key")
    browser.expect_text(NO_ANSWER)
    assert passkeys.of_user(user.id) == []


@pytest.mark.parametrize("kind", KINDS)
def test_authenticator_without_verification_is_a_second_step(
    browser: Browser, kind: str
) -> None:
    """The same passkey on a device without a PIN: not alone."""
    user = add_user(EMAIL)
    device = Device(browser, **KINDS[kind])
    enroll(browser)
    (made,) = device.credentials()
    device.remove()
    plain = Device(
        browser,
        **KINDS[kind],
        hasUserVerification=False,
        isUserVerified=False,
    )
    plain.take_over(made)
    sign_out(browser)
    browser.open("/sign-in")
    browser.click_button("Sign in with a passkey")
    browser.expect_text(NO_ANSWER)
    sign_in_with_password(browser)
    browser.expect_path("/account/second-factor")
    browser.click_button("Use a passkey")
    browser.expect_path("/account")
    browser.open("/account/sessions")
    browser.expect_text("level 2")
    (stored,) = passkeys.of_user(user.id)
    assert stored.sign_count > made["signCount"]


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        ({"isBogusSignature": True}, "signature"),
        ({"isBadUV": True}, "user_verification"),
        ({"isBadUP": True}, "user_presence"),
    ],
)
def test_answer_with_overridden_bits_is_refused(
    browser: Browser, server: Server, bits: dict[str, bool], reason: str
) -> None:
    """What a broken device says counts for nothing; the next one counts."""
    add_user(EMAIL)
    device = Device(browser)
    enroll(browser)
    sign_out(browser)
    browser.open("/sign-in")
    device.set("setResponseOverrideBits", **bits)
    browser.click_button("Sign in with a passkey")
    browser.expect_text(REFUSED)
    assert f'"reason":"{reason}"' in "".join(server.output).replace(" ", "")
    device.set("setResponseOverrideBits")
    browser.click_button("Sign in with a passkey")
    browser.expect_path("/account")


def test_backup_flags_are_kept_and_may_not_change(
    browser: Browser, server: Server
) -> None:
    """A passkey that is synced stays one; whether it is synced may change."""
    user = add_user(EMAIL)
    device = Device(
        browser, defaultBackupEligibility=True, defaultBackupState=False
    )
    enroll(browser)
    (stored,) = passkeys.of_user(user.id)
    assert (stored.backup_eligible, stored.backed_up) == (True, False)
    (made,) = device.credentials()
    for state in (True, False, True):
        device.mark(made, eligible=True, backed_up=state)
        sign_out(browser)
        browser.open("/sign-in")
        browser.click_button("Sign in with a passkey")
        browser.expect_path("/account")
        (stored,) = passkeys.of_user(user.id)
        assert stored.backed_up is state
    sign_out(browser)
    device.mark(made, eligible=False, backed_up=False)
    browser.open("/sign-in")
    browser.click_button("Sign in with a passkey")
    browser.expect_text(REFUSED)
    assert "backup_eligibility_changed" in "".join(server.output)


def test_passkey_that_cannot_be_backed_up_and_is_gets_refused(
    browser: Browser, server: Server
) -> None:
    """No device says so; at the registration nothing is stored."""
    user = add_user(EMAIL)
    Device(browser, defaultBackupEligibility=False, defaultBackupState=True)
    ask_for_passkey(browser, "laptop")
    browser.expect_text(REFUSED)
    assert "backup_state" in "".join(server.output)
    assert passkeys.of_user(user.id) == []


def test_autofill_offers_the_passkey(
    chromium: Chromium, server: Server
) -> None:
    """The sign-in page asks for one as soon as it is open."""
    browser = Browser(chromium, server.url)
    add_user(EMAIL)
    Device(browser)
    enroll(browser)
    sign_out(browser)
    browser.goto("/sign-in")
    browser.expect_path("/account")
    browser.close()


def test_passkey_steps_up_and_leads_back(browser: Browser) -> None:
    """A session of the password proves a passkey, where a rule asks."""
    add_user(EMAIL)
    device = Device(browser)
    enroll(browser)
    (made,) = device.credentials()
    page = without_autofill(browser.open_another())
    other = Device(page)
    page.open("/sign-in")
    sign_in_with_password(page)
    other.take_over(made)
    page.expect_path("/account/second-factor")
    page.click_button("Use a passkey")
    page.expect_path("/account")
    query = "phishing-resistant=on&fresh=0&return_to=/account/activity"
    page.open(f"/account/factors/step-up?{query}")
    assert page.axe_violations() == []
    page.click_button("Confirm with a passkey")
    page.expect_path("/account/activity")

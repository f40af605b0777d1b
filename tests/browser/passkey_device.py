#!/usr/bin/env python3
"""Virtual authenticators of Chromium, and a server with passkeys for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import PAGES
from tests.browser.scenes import PASSWORD
from tests.ports import free_port
from tests.serving import Server

EMAIL = "bob@example.com"
#: What the page says if the browser gave no answer, and if the service
#: refused it.
NO_ANSWER = "No passkey was used. You can try again."
REFUSED = "This passkey was refused"


#: A browser whose fields offer no passkeys. With a virtual device that
#: answers at once, the sign-in page would use it before any button is clicked.
_NO_AUTOFILL = """
PublicKeyCredential.isConditionalMediationAvailable = async () => false;
"""


def without_autofill(browser: Browser) -> Browser:
    """Return the browser, whose passkeys answer buttons alone."""
    browser.context.add_init_script(_NO_AUTOFILL)
    return browser


@contextmanager
def passkey_server(folder: Path, **settings: str) -> Iterator[Server]:
    """Run a server whose pages at localhost have passkeys.

    The `url` of the server is the address that browsers use.
    """
    port = free_port()
    address = f"http://localhost:{port}"
    given = {"API_PORT": str(port), "PUBLIC_URL": address} | settings
    server = Server(folder, **PAGES, **given).start()
    server.url = address
    try:
        yield server
    finally:
        assert server.stop() == 0


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

    def remove(self) -> None:
        """Unplug the authenticator."""
        self.set("removeVirtualAuthenticator")

    def mark(
        self, credential: dict[str, Any], *, eligible: bool, backed_up: bool
    ) -> None:
        """Set the backup flags of one of its passkeys."""
        self.set(
            "setCredentialProperties",
            credentialId=credential["credentialId"],
            backupEligibility=eligible,
            backupState=backed_up,
        )

    def take_over(self, credential: dict[str, Any], **changed: Any) -> None:
        """Store a passkey that another authenticator has, with changes."""
        self.set("addCredential", credential=credential | changed)

    def credentials(self) -> list[dict[str, Any]]:
        """Return the passkeys that it has."""
        place = {"authenticatorId": self.id}
        answer = self.session.send("WebAuthn.getCredentials", place)
        return list(answer["credentials"])


def sign_in_with_password(browser: Browser) -> None:
    """Enter email and password on the sign-in page, and send the form."""
    browser.fill(email=EMAIL, password=PASSWORD)
    browser.page.get_by_role("button", name="Sign in", exact=True).click()


def ask_for_passkey(browser: Browser, name: str) -> None:
    """Sign in with the password, and ask the browser for a new passkey."""
    browser.open("/sign-in")
    sign_in_with_password(browser)
    browser.expect_path("/account")
    browser.open("/account/factors/passkey")
    browser.fill(name=name)
    browser.click_button("Create the passkey")


def enroll(browser: Browser) -> None:
    """Sign in with the password, and add a passkey."""
    ask_for_passkey(browser, "laptop")
    expect(browser.page.get_by_role("heading", level=1)).to_have_text(
        "Your recovery codes"
    )


def sign_out(browser: Browser) -> None:
    """Sign out on the account page."""
    browser.open("/account")
    browser.click_button("Sign out")
    browser.expect_path("/signed-out")

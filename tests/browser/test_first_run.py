#!/usr/bin/env python3
"""The first run: the admin follows the address that the server printed."""

import pytest

from tests.browser.conftest import OpenBrowser, StartServer
from tests.browser.scenes import PASSWORD, PHONE
from tests.startup_output import printed_setup_code
from vestibule.db.models.user import User

ADA = "ada@example.com"


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_first_admin_signs_in_and_ends_a_session(
    start_server: StartServer,
    open_browser: OpenBrowser,
    base_path: str,
    script: bool,
) -> None:
    """Two workers serve a first admin and that admin's second browser.

    The test uses only what the terminal and the pages show.
    """
    server = start_server(WORKERS="2", THROTTLE="on")
    address, code = printed_setup_code(server)
    first = open_browser(server, java_script_enabled=script)
    path = address.removeprefix(server.url + base_path)
    first.goto(path)
    first.page.get_by_label("Code").fill(code.lower().replace("-", " "))
    first.page.get_by_label("Email").fill(ADA)
    first.page.get_by_label("Password", exact=True).fill(PASSWORD)
    first.click_button("Create the account")
    first.expect_path("/account")
    second = open_browser(server, java_script_enabled=script, user_agent=PHONE)
    second.goto("/")
    second.expect_path("/sign-in")
    second.fill(email=ADA, password=PASSWORD)
    second.click_button("Sign in")
    second.expect_path("/account")
    first.click_link("Sessions")
    row = first.page.get_by_role("listitem").filter(
        has_text="Chrome on Android"
    )
    row.locator("summary").click()
    row.get_by_role("button", name="End this session").click()
    first.expect_text("You have no other sessions.")
    second.click_link("Activity")
    second.expect_path("/sign-in")
    second.expect_text("You ended this session from another device.")
    # The code was used, so the setup page no longer opens.
    second.goto(path)
    second.expect_path("/sign-in")
    first.goto(path)
    first.expect_path("/account")
    (ada,) = User.all()
    assert (ada.email, ada.role) == (ADA, "admin")

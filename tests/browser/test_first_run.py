#!/usr/bin/env python3
"""The first run as a newcomer has it, with what the server printed."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Visit
from tests.browser.scenes import PASSWORD, PHONE
from tests.serving import Server
from tests.startup_output import printed_setup_code
from vestibule.db.models.user import User

ADA = "ada@example.com"


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_from_the_printed_address_to_an_ended_session(
    open_house: Open, visit: Visit, script: bool
) -> None:
    """A first admin, a second browser, and its session ended.

    By two workers, and nothing is known but what is on the screens.
    """
    house = open_house(WORKERS="2", THROTTLE="on")
    address, code = printed_setup_code(house)
    first = visit(house, java_script_enabled=script)
    first.page.goto(address)
    first.page.get_by_label("Code").fill(code.lower().replace("-", " "))
    first.page.get_by_label("Email").fill(ADA)
    first.page.get_by_label("Password", exact=True).fill(PASSWORD)
    first.press("Create the account")
    first.is_at("/account")
    second = visit(house, java_script_enabled=script, user_agent=PHONE)
    second.page.goto(house.url)
    second.is_at("/sign-in")
    second.fill(email=ADA, password=PASSWORD)
    second.press("Sign in")
    second.is_at("/account")
    first.follow("Sessions")
    row = first.page.get_by_role("listitem").filter(
        has_text="Chrome on Android"
    )
    row.locator("summary").click()
    row.get_by_role("button", name="End this session").click()
    first.sees("You have no other sessions.")
    second.follow("Activity")
    second.is_at("/sign-in")
    second.sees("You ended this session from another device.")
    # The code is used up, and its page is gone.
    second.page.goto(address)
    second.is_at("/sign-in")
    first.page.goto(address)
    first.is_at("/account")
    (ada,) = User.all()
    assert (ada.email, ada.role) == (ADA, "admin")


def test_guesses_have_to_wait(
    open_house: Open, visit: Visit, stopped: Callable[..., Server]
) -> None:
    """The right code too, which is good for when the time is over."""
    house = open_house(stopped, THROTTLE="on")
    address, code = printed_setup_code(house)
    visitor = visit(house)
    visitor.page.goto(address)
    for _ in range(5):
        visitor.fill(code="wrong", email=ADA, password=PASSWORD)
        visitor.press("Create the account")
        expect(visitor.page.locator("[aria-invalid], #alert")).to_have_count(1)
    visitor.fill(code=code, password=PASSWORD)
    visitor.press("Create the account")
    expect(visitor.page.get_by_role("alert")).to_contain_text(
        "Too many attempts failed."
    )
    assert User.count() == 0

#!/usr/bin/env python3
"""The first run as a newcomer has it, with what the server printed."""

import pytest

from tests.browser.conftest import Open, Visit
from tests.browser.scenes import PASSWORD
from tests.printed import invitation_of

ADA = "ada@example.com"


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_from_the_printed_address_to_an_ended_session(
    open_house: Open, visit: Visit, script: bool
) -> None:
    """A first admin, a second browser, and its session ended.

    By two workers, and nothing is known but what is on the screens.
    """
    house = open_house(WORKERS="2", THROTTLE="on")
    address, code = invitation_of(house)
    first = visit(house, java_script_enabled=script)
    first.page.goto(address)
    first.page.get_by_label("Code").fill(code.lower().replace("-", " "))
    first.page.get_by_label("Email").fill(ADA)
    first.page.get_by_label("Password", exact=True).fill(PASSWORD)
    first.press("Create the account")
    first.is_at("/account")
    second = visit(house, java_script_enabled=script)
    second.page.goto(house.url)
    second.is_at("/sign-in")
    second.fill(email=ADA, password=PASSWORD)
    second.press("Sign in")
    second.is_at("/account")

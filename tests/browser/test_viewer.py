#!/usr/bin/env python3
"""The page that shows the API: a person signs in there and tries it."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Open, Visit
from tests.browser.scenes import PASSWORD
from tests.browser.visitor import Visitor
from tests.serving import Server
from vestibule.db.models.user import User

PHONE = {"viewport": {"width": 360, "height": 740}}


def operation(visitor: Visitor, name: str) -> Locator:
    """Open what the page has of one operation."""
    entry = visitor.page.locator(f"#{name}")
    entry.locator("summary").first.click()
    return entry


def enter(visitor: Visitor, email: str, password: str) -> None:
    """Fill in who asks."""
    visitor.fill(email=email, password=password)
    visitor.press("Sign in")


@pytest.mark.parametrize(
    "options", [{}, {**PHONE, "color_scheme": "dark"}], ids=["wide", "phone"]
)
def test_a_person_tries_the_api(
    visit: Visit, house: Server, bob: User, options: dict[str, object]
) -> None:
    """Not signed in, signed in by the cookie, and signed out again."""
    visitor = visit(house, **options)
    visitor.open("/docs")
    visitor.sees("You are not signed in.")
    entry = operation(visitor, "showMe")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry).to_contain_text("401")
    enter(visitor, str(bob.email), "wrong password")
    visitor.sees("wrong password")
    enter(visitor, str(bob.email), PASSWORD)
    visitor.sees(f"Signed in as {bob.email}.")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry.locator("pre").first).to_contain_text(bob.id)
    entry = operation(visitor, "nameUser")
    entry.locator("input[name='user_id']").fill(bob.id)
    entry.locator("textarea").fill('{"first_name": "Bob"}')
    entry.get_by_role("button", name="Send PUT").click()
    expect(entry.locator("pre").first).to_contain_text('"Bob"')
    assert visitor.obstacles() == []
    assert visitor.overflow() == 0
    visitor.press("Sign out")
    visitor.sees("You are not signed in.")
    loaded = User.get(bob.id)
    assert loaded is not None
    assert loaded.first_name == "Bob"


def test_operations_are_found(visit: Visit, house: Server) -> None:
    """By their words; and the page says that there is none."""
    visitor = visit(house)
    visitor.open("/docs")
    shown = visitor.page.locator(".operation:visible")
    field = visitor.page.get_by_role("searchbox")
    expect(shown.first).to_be_visible()
    field.fill("password-reset")
    expect(shown).to_have_count(1)
    field.fill("nothing of this kind")
    visitor.sees("None.")


def test_it_asks_by_basic_credentials(visit: Visit, open_house: Open) -> None:
    """Where the mechanism takes those: they stay within the page."""
    server = open_house(AUTH_TYPE="basic_auth", WEB_PAGES="off")
    user = User(email="bob@example.com")
    user.password = PASSWORD
    user.save()
    visitor = visit(server)
    visitor.open("/docs")
    enter(visitor, "bob@example.com", "wrong password")
    visitor.sees("wrong email or password")
    enter(visitor, "bob@example.com", PASSWORD)
    visitor.sees("Signed in as bob@example.com.")
    entry = operation(visitor, "listUsers")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry.locator("pre").first).to_contain_text(user.id)
    visitor.press("Sign out")
    visitor.sees("You are not signed in.")
    entry.get_by_role("button", name="Send GET").click()
    expect(entry).to_contain_text("401")

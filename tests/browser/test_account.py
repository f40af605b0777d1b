#!/usr/bin/env python3
"""My account in a browser: what its owner changes there."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD
from tests.browser.visitor import Visitor
from tests.serving import Server
from vestibule.db.models.user import User

NEW = "seven kites and an umbrella"
each_way = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "none"]
)


def told(visitor: Visitor, text: str) -> None:
    """Wait until the page says that something worked."""
    expect(visitor.page.get_by_role("status")).to_contain_text(text)


@each_way
def test_a_new_password(
    house: Server, visit: Visit, bob: User, script: bool
) -> None:
    """It ends the session of the other browser, and this one goes on."""
    here = visit(house, java_script_enabled=script)
    there = visit(house, java_script_enabled=script)
    for visitor in (here, there):
        visitor.sign_in(str(bob.email), PASSWORD)
    here.fill(current_password="wrong password", new_password=NEW)
    here.press("Change the password")
    here.sees("This is not your password.")
    there.page.reload()
    there.is_at("/account")
    here.fill(current_password=PASSWORD, new_password="password1234")
    here.press("Change the password")
    field = here.page.locator("input[name='new_password']")
    expect(field).to_have_attribute("aria-invalid", "true")
    here.fill(current_password=PASSWORD, new_password=NEW)
    here.press("Change the password")
    told(here, "Your password was changed")
    there.follow("Sessions")
    there.is_at("/sign-in")
    there.sees("Your password was changed")
    there.fill(email=str(bob.email), password=PASSWORD)
    there.press("Sign in")
    there.sees("The email or the password is wrong.")
    there.fill(password=NEW)
    there.press("Sign in")
    there.is_at("/account/sessions")


@each_way
def test_a_new_name_and_email(
    house: Server, visit: Visit, bob: User, script: bool
) -> None:
    """They are shown at once, and the new email signs in."""
    visitor = visit(house, java_script_enabled=script)
    visitor.sign_in(str(bob.email), PASSWORD)
    visitor.fill(first_name="Bob", last_name="Builder")
    visitor.press("Save the name")
    told(visitor, "Your name was saved.")
    expect(visitor.page.locator("h1")).to_have_text("Bob Builder")
    visitor.fill(email=f"new-{bob.email}")
    visitor.press("Save the email")
    told(visitor, "Your email was saved.")
    visitor.press("Sign out")
    visitor.is_at("/signed-out")
    visitor.sign_in(f"new-{bob.email}", PASSWORD)


@each_way
def test_the_end_of_an_account(
    house: Server, visit: Visit, bob: User, script: bool
) -> None:
    """It has to be confirmed; then nobody can sign in any more."""
    visitor = visit(house, java_script_enabled=script)
    visitor.sign_in(str(bob.email), PASSWORD)
    visitor.page.get_by_role("link", name=re.compile("Delete")).click()
    visitor.is_at("/account/delete")
    visitor.follow("Cancel")
    visitor.is_at("/account")
    visitor.open("/account/delete")
    visitor.press("Delete my account")
    visitor.is_at("/sign-in")
    told(visitor, "Your account was deleted.")
    assert User.get(bob.id) is None
    visitor.fill(email=str(bob.email), password=PASSWORD)
    visitor.press("Sign in")
    visitor.sees("The email or the password is wrong.")


def test_an_old_proof_is_not_enough(open_house: Open, visit: Visit) -> None:
    """What a thief of an open browser would do needs the password."""
    house = open_house(REAUTH_WINDOW="1")
    bob = settle("bob@example.com")
    visitor = visit(house)
    visitor.sign_in(str(bob.email), PASSWORD)
    field = visitor.page.locator("input[name='password']")
    while not field.count():
        visitor.page.reload()
    visitor.fill(email="new@example.com", password="wrong password")
    visitor.press("Save the email")
    visitor.sees("This is not your password.")
    visitor.fill(email="new@example.com", password=PASSWORD)
    visitor.press("Save the email")
    told(visitor, "Your email was saved.")


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=/x onerror=alert(1)>',
        "\u202egnp.exe\u2066",
        "x" * 10_000,
        "{{ 7*7 }}",
        "\u0000n".strip("\0"),
        "\U0001f469\u200d\U0001f680" * 300,
        "a b " * 500,
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
def test_whatever_somebody_is_called(
    house: Server, visit: Visit, bob: User, name: str
) -> None:
    """It is text on every page, comes back as typed, and nothing breaks."""
    visitor = visit(house)
    visitor.sign_in(str(bob.email), PASSWORD)
    visitor.fill(first_name=name, last_name=name)
    visitor.press("Save the name")
    told(visitor, "Your name was saved.")
    field = visitor.page.locator("input[name='first_name']")
    expect(field).to_have_value(name.strip())
    assert visitor.page.locator("main script, main h1 img").count() == 0
    visitor.page.set_viewport_size({"width": 360, "height": 800})
    for path in (
        "/account",
        "/account/sessions",
        "/account/activity",
        "/account/delete",
        "/sign-in",
        "/nowhere",
    ):
        visitor.page.goto(path)
        assert visitor.overflow() <= 0, path
    visitor.open("/account")
    assert visitor.obstacles() == []


def test_a_form_that_is_sent_twice(
    house: Server, visit: Visit, bob: User
) -> None:
    """By two quick clicks, or by going back: it is done once."""
    visitor = visit(house)
    visitor.sign_in(str(bob.email), PASSWORD)
    visitor.fill(current_password=PASSWORD, new_password=NEW)
    visitor.page.get_by_role("button", name="Change the password").dblclick()
    told(visitor, "Your password was changed")
    visitor.page.go_back()
    visitor.is_at("/account")
    visitor.fill(current_password=PASSWORD, new_password=NEW)
    visitor.press("Change the password")
    visitor.sees("This is not your password.")

#!/usr/bin/env python3
"""Signing in and out in a browser, and what may go wrong with it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User

WRONG = "The email or the password is wrong."


def email_of(user: User) -> str:
    """Return the email, which each user of these tests has."""
    assert user.email is not None
    return user.email


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_in_and_out(
    house: Server, visit: Visit, bob: User, script: bool
) -> None:
    """The bare address leads in; who signed out is out, with a goodbye."""
    visitor = visit(house, java_script_enabled=script)
    visitor.page.goto("/")
    visitor.is_at("/sign-in")
    visitor.fill(email=email_of(bob), password=PASSWORD)
    visitor.press("Sign in")
    visitor.is_at("/account")
    visitor.page.goto("/")
    visitor.is_at("/account")
    visitor.press("Sign out")
    visitor.is_at("/signed-out")
    visitor.sees("You are signed out")
    visitor.page.goto("/account")
    visitor.is_at("/sign-in")
    # The page from before is not shown again either.
    visitor.page.go_back()
    visitor.page.reload()
    assert "/account" not in visitor.page.url.partition("?")[0]


def test_by_keyboard_alone(house: Server, visit: Visit, bob: User) -> None:
    """The first field is ready; Enter sends the form."""
    visitor = visit(house)
    visitor.open("/sign-in")
    keyboard = visitor.page.keyboard
    keyboard.type(email_of(bob))
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    visitor.is_at("/account")
    keyboard.press("Tab")
    skip = visitor.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_a_wrong_password(
    house: Server, visit: Visit, bob: User, script: bool
) -> None:
    """It is said as for an unknown email; the email stays, and works."""
    visitor = visit(house, java_script_enabled=script)
    visitor.open("/sign-in")
    for email in ("nobody@example.com", email_of(bob)):
        visitor.fill(email=email, password="wrong password")
        visitor.press("Sign in")
        expect(visitor.page.get_by_role("alert")).to_have_text(WRONG)
    field = visitor.page.get_by_label("Email")
    expect(field).to_have_value(email_of(bob))
    visitor.fill(password=PASSWORD)
    visitor.press("Sign in")
    visitor.is_at("/account")


def test_the_alert_is_read_out(house: Server, visit: Visit, bob: User) -> None:
    """It has the focus, so that nobody has to look for it."""
    visitor = visit(house)
    visitor.open("/sign-in")
    visitor.fill(email=email_of(bob), password="wrong password")
    visitor.press("Sign in")
    expect(visitor.page.get_by_role("alert")).to_be_focused()


def test_the_password_can_be_shown(house: Server, visit: Visit) -> None:
    """By a button with the words for what it does, and hidden again."""
    visitor = visit(house)
    visitor.open("/sign-in")
    field = visitor.page.locator("input[name='password']")
    button = visitor.page.get_by_role("button", name=re.compile("Show"))
    expect(field).to_have_attribute("type", "password")
    button.click()
    expect(field).to_have_attribute("type", "text")
    visitor.page.get_by_role("button", name=re.compile("Hide")).click()
    expect(field).to_have_attribute("type", "password")


def test_a_password_can_be_pasted(house: Server, visit: Visit) -> None:
    """So that managers of passwords work."""
    visitor = visit(house)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.open("/sign-in")
    visitor.page.evaluate("navigator.clipboard.writeText('pasted')")
    field = visitor.page.locator("input[name='password']")
    field.focus()
    visitor.page.keyboard.press("Control+V")
    expect(field).to_have_value("pasted")
    expect(field).to_have_attribute("autocomplete", "current-password")


def test_who_guesses_too_often_waits(
    open_house: Open, visit: Visit, stopped: Callable[..., Server]
) -> None:
    """The page says for how long."""
    house = open_house(stopped, THROTTLE="on")
    settle("bob@example.com")
    visitor = visit(house)
    visitor.open("/sign-in")
    for _ in range(6):
        visitor.fill(email="bob@example.com", password="wrong password")
        visitor.press("Sign in")
        alert = visitor.page.get_by_role("alert")
        expect(alert).to_be_visible()
    expect(alert).to_contain_text(re.compile(r"try again in \d+ second"))


def test_who_is_signed_in_is_told(
    house: Server, visit: Visit, bob: User
) -> None:
    """And may go on, or sign in as somebody else."""
    visitor = visit(house)
    visitor.sign_in(email_of(bob), PASSWORD)
    visitor.open("/sign-in")
    visitor.sees(email_of(bob))
    visitor.follow("Continue")
    visitor.is_at("/account")
    visitor.open("/sign-in")
    visitor.press("Use another account")
    visitor.is_at("/signed-out")


def test_the_way_back(house: Server, visit: Visit, bob: User) -> None:
    """Who was sent to sign in comes back to where they were."""
    visitor = visit(house)
    visitor.page.goto("/account/sessions")
    visitor.is_at("/sign-in")
    visitor.fill(email=email_of(bob), password=PASSWORD)
    visitor.press("Sign in")
    visitor.is_at("/account/sessions")


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "https://evil.example",
        "%2F%2Fevil.example",
        "/%09/evil.example",
        "\t//evil.example",
        "/\t/evil.example",
        "data:text/html,x",
        "\\\\evil.example",
        "/%5Cevil.example/..//x",
    ],
)
def test_no_other_way(
    house: Server, visit: Visit, bob: User, address: str
) -> None:
    """An address that could lead elsewhere leads to the account, or 404.

    The browser notes each request to another host as a fault.
    """
    visitor = visit(house)
    for encoded in (address, address.replace("%", "%25")):
        visitor.page.goto(f"/sign-in?return_to={encoded}")
        visitor.fill(email=email_of(bob), password=PASSWORD)
        visitor.press("Sign in")
        visitor.page.wait_for_url(lambda url: "/sign-in" not in url)
        assert visitor.page.url.startswith(house.url)
        visitor.context.clear_cookies(name=COOKIE)

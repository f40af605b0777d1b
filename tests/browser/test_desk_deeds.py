#!/usr/bin/env python3
"""What admins do to users in Chromium, with scripts and without."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.scenes import PASSWORD, enter
from tests.browser.town import Town, fail
from tests.browser.visitor import Visitor
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

NEW = "seven kites and an umbrella"
each_way = pytest.mark.parametrize(
    "script", [True, False], ids=["script", "none"]
)


def own(user: User) -> str:
    """Return the address of a user at the desk."""
    return f"/admin/users/{user.id}"


def told(visitor: Visitor, text: str) -> None:
    """Wait until the page says that something worked."""
    expect(visitor.page.get_by_role("status")).to_have_text(text)


def link(visitor: Visitor, name: str) -> Locator:
    """Return the links with this name."""
    return visitor.page.get_by_role("link", name=name, exact=True)


def is_out(visitor: Visitor, why: str) -> None:
    """See that a browser is signed out, and told why."""
    visitor.page.goto("/account")
    visitor.is_at("/sign-in")
    visitor.sees(why)


def test_somebody_is_kept_out_and_let_in(desk: Visitor, bob: User) -> None:
    """Not before it is confirmed; the password stays the same."""
    other = desk.companion()
    enter(other, bob)
    desk.open(own(bob))
    desk.follow("Disable…")
    desk.sees("All sessions end immediately")
    desk.follow("Cancel")
    desk.is_at(own(bob))
    other.open("/account")
    desk.follow("Disable…")
    desk.press("Disable")
    told(desk, "The user was disabled and signed out.")
    expect(desk.page.locator(".lead .badge")).to_have_text("Disabled")
    is_out(other, "Your account is disabled.")
    other.fill(email=str(bob.email), password=PASSWORD)
    other.press("Sign in")
    other.sees("The email or the password is wrong.")
    desk.follow("Enable…")
    desk.press("Enable")
    told(desk, "The user can sign in again.")
    expect(desk.page.locator(".lead .badge")).to_have_count(0)
    other.sign_in(str(bob.email), PASSWORD)


def test_somebody_becomes_an_admin_and_a_member(
    desk: Visitor, bob: User
) -> None:
    """Whose open browser has the desk for as long."""
    other = desk.companion()
    enter(other, bob)
    other.open("/admin", 403)
    desk.open(own(bob))
    for button, role, status in (
        ("Make an administrator", "Administrator", 200),
        ("Make a member", "Member", 403),
    ):
        desk.follow(f"{button}…")
        desk.press(button)
        told(desk, "The role was changed.")
        expect(desk.page.locator("main .lead")).to_contain_text(role)
        other.open("/admin", status)


def test_an_admin_steps_down(desk: Visitor, chief: User) -> None:
    """Where there is another: the desk is closed at once."""
    desk.open(own(chief))
    desk.follow("Make a member…")
    desk.press("Make a member")
    desk.is_at("/account")
    expect(link(desk, "Admin")).to_have_count(0)
    desk.open("/admin", 403)


def test_nobody_has_to_wait(desk: Visitor, bob: User) -> None:
    """The wait is shown, and lifted with the failures."""
    fail(bob)
    desk.open(own(bob))
    desk.sees("Must wait")
    desk.follow("Unlock sign-in…")
    desk.press("Unlock sign-in")
    told(desk, "Sign-in was unlocked for this user.")
    expect(desk.page.locator("main")).not_to_contain_text("Must wait")
    expect(link(desk, "Unlock sign-in…")).to_have_count(0)


def test_a_code_for_who_forgot_the_password(desk: Visitor, bob: User) -> None:
    """It is shown once, and its holder comes in by it."""
    desk.open(own(bob))
    desk.follow("Issue a reset code…")
    expect(desk.page.locator("#code")).to_have_count(0)
    desk.press("Issue the code")
    code = desk.page.locator("#code").inner_text()
    other = desk.companion()
    other.open("/reset")
    other.fill(email=str(bob.email), code=code, new_password=NEW)
    other.press("Set the password")
    other.is_at("/sign-in")
    other.sign_in(str(bob.email), NEW)
    desk.follow("Done")
    desk.is_at(own(bob))
    assert code not in desk.page.content()


def test_somebody_is_deleted(desk: Visitor, bob: User) -> None:
    """And is found no more."""
    other = desk.companion()
    enter(other, bob)
    desk.open(own(bob))
    desk.follow("Delete…")
    desk.press("Delete permanently")
    desk.is_at("/admin")
    told(desk, "The user was deleted.")
    desk.open(f"/admin?q={bob.email}")
    desk.sees("No results.")
    desk.open(own(bob), 404)
    assert User.get(bob.id) is None
    other.page.goto("/account")
    other.is_at("/sign-in")


def test_sessions_of_somebody_are_ended(desk: Visitor, bob: User) -> None:
    """One of them, then all; who had them is told by whom."""
    others = [desk.companion() for _ in range(3)]
    for other in others:
        enter(other, bob)
    desk.open(own(bob))
    ends = desk.page.locator("main .rows a.danger")
    expect(ends).to_have_count(3)
    # The newest stands first.
    ends.first.click()
    desk.sees("The browser that uses this session is signed out immediately.")
    desk.press("End this session")
    told(desk, "The session was ended.")
    expect(ends).to_have_count(2)
    is_out(others[2], "An administrator ended this session.")
    for other in others[:2]:
        other.open("/account")
    desk.follow("End all…")
    desk.press("End all sessions")
    told(desk, "The sessions were ended.")
    desk.sees("There are no live sessions.")
    for other in others[:2]:
        is_out(other, "An administrator ended this session.")


@each_way
def test_an_old_login_has_to_be_proved(
    house: Server, visit: Visit, chief: User, bob: User, script: bool
) -> None:
    """By the admin's password and no other, once for some minutes."""
    visitor = visit(house, java_script_enabled=script)
    enter(visitor, chief, hours=1)
    (before,) = visitor.context.cookies()
    visitor.open(own(bob))
    visitor.follow("Make an administrator…")
    button, field = (
        "Make an administrator",
        visitor.page.get_by_label("Your password", exact=True),
    )
    expect(field).to_have_attribute("type", "password")
    visitor.press(button)
    # The browser sends no form with an empty field.
    expect(visitor.page.locator("input:invalid")).to_have_count(1)
    visitor.fill(password="wrong password")
    visitor.press(button)
    visitor.sees("This is not your password.")
    expect(field).to_have_value("")
    stored = User.get(bob.id)
    assert stored is not None and stored.role == "member"
    visitor.fill(password=PASSWORD)
    visitor.press(button)
    told(visitor, "The role was changed.")
    visitor.follow("Make a member…")
    visitor.sees("Make this user a member?")
    expect(field).to_have_count(0)
    visitor.press("Make a member")
    told(visitor, "The role was changed.")
    (after,) = (
        each
        for each in visitor.context.cookies()
        if each.get("name") == COOKIE
    )
    assert after.get("value") != before.get("value")


@each_way
def test_the_last_admin_stays(town: Town, visit: Visit, script: bool) -> None:
    """Whatever he does to himself, and is told what to do before."""
    visitor = visit(town.server, java_script_enabled=script)
    enter(visitor, town.chief)
    sessions = len(UserSession.search({"user_id": town.chief.id}))
    for name, button in (
        ("Make a member…", "Make a member"),
        ("Disable…", "Disable"),
        ("Delete…", "Delete permanently"),
    ):
        visitor.open(own(town.chief))
        visitor.follow(name)
        expect(visitor.page.locator(".lead .badge")).to_have_text("You")
        visitor.press(button)
        visitor.sees("This is the last administrator")
    visitor.open("/admin")
    chief = User.get(town.chief.id)
    assert chief is not None and chief.disabled_at is None
    assert chief.role == "admin"
    assert len(UserSession.search({"user_id": chief.id})) == sessions

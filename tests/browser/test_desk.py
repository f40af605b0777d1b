#!/usr/bin/env python3
"""The admin's desk in Chromium: its flows, and all of it for everybody."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from models import events, hourly
from models.events import Happening
from models.hourly import Slot, hour_of
from models.user import User
from models.user_session import UserSession
from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD, PHONE, sign_in
from tests.browser.test_scenes import english
from tests.browser.visitor import Visitor
from tests.serving import Server
from vestibule import clock
from vestibule.accounts.roles import set_role
from vestibule.journal import SESSIONS

#: Pixels of a laptop.
WIDTH, HEIGHT = 1000, 900


@pytest.fixture
def chief(house: Server) -> User:
    """Return an admin of the shared house."""
    admin = settle(
        f"chief-{os.urandom(4).hex()}@example.com", first_name="Ada"
    )
    set_role(admin, "admin")
    return admin


def prepare(bob: User) -> None:
    """Store sessions, events and sums for the pages to show."""
    now = clock.now()
    for number in range(3):
        UserSession(
            user_id=bob.id, session_id=f"{bob.id}{number}",
            user_agent=PHONE, ip=f"192.0.2.{number}", method="password",
        ).save()
    events.store([
        Happening(
            now - timedelta(hours=number), kind, bob.id, ip="2001:db8::7",
            network="2001:db8::/64", user_agent=PHONE, times=number + 1,
        )
        for number, kind in enumerate(("login", "login_failed") * 9)
    ])
    hourly.put({Slot(hour_of(now), SESSIONS): 40})


def pages_of(bob: User) -> list[str]:
    """Return the addresses of all pages of the desk, in their states."""
    handle = UserSession.search({"user_id": bob.id})[0].id
    own = f"/admin/users/{bob.id}"
    return [
        "/admin", "/admin?q=bob", "/admin?q=%25", "/admin/users/add", own,
        f"{own}/delete", f"/admin/sessions?user={bob.id}",
        f"/admin/sessions/end?session={handle}", "/admin/sessions/end-all",
        f"/admin/events?user={bob.id}", "/admin/figures?period=week",
    ]


def test_a_new_admin_finds_and_ends_what_is_wrong(
    house: Server, visit: Visit, bob: User, chief: User
) -> None:
    """A user is found, a session ended, the user disabled, the events
    taken home; by links and buttons alone.
    """
    prepare(bob)
    visitor = visit(house)
    sign_in(visitor, chief)
    visitor.follow("Admin")
    visitor.fill(q=str(bob.email)[:9])
    visitor.press("Search")
    visitor.follow(str(bob.email))
    visitor.sees("Chrome on Android")
    rows = visitor.page.locator("a.danger", has_text="End…")
    expect(rows).to_have_count(3)
    rows.first.click()
    visitor.sees("signed out at once")
    visitor.press("End this session")
    visitor.sees("The session is ended.")
    expect(rows).to_have_count(2)
    visitor.follow("Disable…")
    visitor.press("Disable")
    visitor.sees("The user is disabled and signed out.")
    visitor.sees("Signed in nowhere.")
    visitor.follow("All events of this user")
    visitor.sees("by")
    with visitor.page.expect_download() as caught:
        visitor.follow("JSON")
    lines = Path(caught.value.path()).read_text().splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {bob.id}
    assert len(lines) >= 20


def test_somebody_is_added_without_scripts(
    house: Server, visit: Visit, chief: User
) -> None:
    """The admin gets a code, and the new user comes in by it."""
    email = f"new-{os.urandom(4).hex()}@example.com"
    visitor = visit(house, java_script_enabled=False)
    sign_in(visitor, chief)
    visitor.open("/admin")
    visitor.follow("Add a user…")
    visitor.fill(email=email, first_name="New")
    visitor.press("Add the user")
    visitor.sees("The user is added")
    code = visitor.page.locator("#code").inner_text()
    assert re.fullmatch(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}", code)
    other = visitor.companion(java_script_enabled=False)
    other.open("/reset")
    other.fill(email=email, code=code, new_password=PASSWORD)
    other.press("Set the password")
    other.is_at("/sign-in")
    other.sign_in(email, PASSWORD)
    other.open("/admin", 403)


def test_everybody_is_signed_out(open_house: Open, visit: Visit) -> None:
    """Once the name was typed; then the admin is a stranger too."""
    house = open_house()
    admin = settle("ada@example.com")
    set_role(admin, "admin")
    visitor = visit(house)
    sign_in(visitor, admin)
    visitor.open("/admin/sessions")
    visitor.follow("End everybody's sessions…")
    visitor.fill(name="yes")
    visitor.press("End all sessions")
    visitor.sees("This is not the name.")
    visitor.fill(name="vestibule")
    visitor.press("End all sessions")
    visitor.is_at("/sign-in")
    visitor.sees("An administrator ended this session.")


def look(visitor: Visitor, path: str, is_dark: bool) -> None:
    """Look at a page in light or dark, and on a phone."""
    visitor.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    visitor.open(path)
    assert visitor.page.locator("h1").count() == 1
    for summary in visitor.page.locator("main summary").all():
        summary.click()
    visitor.page.emulate_media(color_scheme="dark" if is_dark else "light")
    assert visitor.obstacles() == [], path
    visitor.page.set_viewport_size({"width": 360, "height": 720})
    assert visitor.overflow() <= 0, path


def test_the_desk_is_fit_for_everybody(
    house: Server, visit: Visit, bob: User, chief: User
) -> None:
    """Every page: axe, narrow, in French, no scripts; by turns in light
    and dark, because all are made of the same few parts.
    """
    prepare(bob)
    paths = pages_of(bob)
    visitor = visit(house)
    sign_in(visitor, chief)
    for number, path in enumerate(paths):
        look(visitor, path, is_dark=number % 2 > 0)
    french = visit(
        house, locale="fr-FR", java_script_enabled=False,
        viewport={"width": 360, "height": 720},
    )
    sign_in(french, chief)
    for path in paths:
        french.open(path)
        assert french.page.locator("html").get_attribute("lang") == "fr"
        said = re.sub(r"\s+", " ", french.page.locator("body").inner_text())
        assert {text for text in english() if text in said} == set(), path
        box = french.page.locator("main").bounding_box()
        assert box is not None and box["x"] + box["width"] <= 360, path

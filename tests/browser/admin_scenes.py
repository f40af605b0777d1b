#!/usr/bin/env python3
"""Scenes of the admin pages: each page in each of its states.

A scene is a function that signs the only admin of a populated server in and
opens the page.
"""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.populated_server import (
    UNKNOWN_WORD,
    PopulatedServer,
    fail_to_sign_in,
    reset_login_failures,
)
from tests.browser.scenes import add_session, submit
from vestibule.db.models.user_session import UserSession
from vestibule.web.admin.user_actions import USER_ACTIONS

Scene = Callable[[Browser, PopulatedServer], None]
LONG = "x" * 300
#: Hours after which an action needs the password again.
OLD = 1


def fill_ids(address: str, populated: PopulatedServer) -> str:
    """Return an address with the placeholders replaced by IDs."""
    (session,) = UserSession.newest(populated.bob.id, 1)
    return address.format(
        admin=populated.admin.id,
        bob=populated.bob.id,
        disabled_user=populated.disabled_user.id,
        many_sessions_user=populated.many_sessions_user.id,
        newcomer=populated.newcomer.id,
        session=session.id,
    )


def page(address: str, status: int = 200, hours: float = 0) -> Scene:
    """Return the scene of a page, opened `hours` after the sign-in."""

    def scene(browser: Browser, populated: PopulatedServer) -> None:
        """Open the page, and unfold its filters or its first table."""
        add_session(browser, populated.admin, hours)
        browser.open(fill_ids(address, populated), status)
        summaries = browser.page.locator("main details:not([open]) > summary")
        if summaries.count():
            summaries.first.click()

    return scene


def next_page(address: str) -> Scene:
    """Return the scene of the second page of a list."""

    def scene(browser: Browser, populated: PopulatedServer) -> None:
        """Open the list and follow the link to the next page."""
        page(address)(browser, populated)
        browser.page.locator(".pager a[rel='next']").click()
        expect(browser.page.locator(".pager a").first).not_to_have_attribute(
            "rel", "next"
        )

    return scene


def submitted(
    address: str, status: int, hours: float = 0, **fields: str
) -> Scene:
    """Return the scene of a form that was filled in and sent."""

    def scene(browser: Browser, populated: PopulatedServer) -> None:
        """Open the page, fill in the form and send it."""
        reset_login_failures(populated.admin)
        page(address, hours=hours)(browser, populated)
        browser.fill(**fields)
        submit(browser, status)

    return scene


def has_to_wait(browser: Browser, populated: PopulatedServer) -> None:
    """Confirm the password after too many failed attempts."""
    page("/admin/users/{bob}/delete", hours=OLD)(browser, populated)
    fail_to_sign_in(populated.admin, "127.0.0.1")
    browser.fill(password="wrong password")
    submit(browser, 429)
    reset_login_failures(populated.admin)


def already_done(browser: Browser, populated: PopulatedServer) -> None:
    """See the message for an action that had no effect."""
    submitted("/admin/users/{newcomer}/enable", 303)(browser, populated)
    expect(browser.page.get_by_role("status")).to_be_visible()


#: Every scene of the admin pages.
ADMIN_SCENES: dict[str, Scene] = {
    "overview": page("/admin/overview"),
    "users": page("/admin"),
    "users-next": next_page("/admin"),
    "users-none": page(f"/admin?q={UNKNOWN_WORD}"),
    "users-sorted": page("/admin?sort=name&role=member"),
    "users-selected": page(
        "/admin/users/selected?do=disable&id={bob}&id={newcomer}"
    ),
    "users-refused": page(f"/admin?q={LONG}", 400),
    "users-elsewhere": page("/admin?after=forged", 400),
    "add": page("/admin/users/add"),
    "add-password": page("/admin/users/add", hours=OLD),
    "add-refused": submitted("/admin/users/add", 400, email="bob@example.com"),
    "user": page("/admin/users/{bob}"),
    "user-edit": page("/admin/users/{bob}/edit"),
    "user-edit-refused": submitted(
        "/admin/users/{bob}/edit", 400, email="newcomer@example.com"
    ),
    "user-already-enabled": already_done,
    "user-own": page("/admin/users/{admin}"),
    "user-disabled": page("/admin/users/{disabled_user}"),
    "user-new": page("/admin/users/{newcomer}"),
    "user-nowhere": page("/admin/users/unknown", 404),
    **{
        action: page(f"/admin/users/{{bob}}/{action}")
        for action in USER_ACTIONS
        # The server of these scenes sends no mail.
        if action != "mail"
    },
    "action-own": page("/admin/users/{admin}/disable"),
    "action-password": page("/admin/users/{bob}/delete", hours=OLD),
    "action-wrong-password": submitted(
        "/admin/users/{bob}/delete", 401, OLD, password="wrong password"
    ),
    "action-wait": has_to_wait,
    "last-admin": submitted("/admin/users/{admin}/make-member", 409),
    "code-shown": submitted("/admin/users/{newcomer}/code", 200),
    "sessions": page("/admin/sessions"),
    "sessions-next": next_page("/admin/sessions?user={bob}"),
    "sessions-none": page(f"/admin/sessions?user={UNKNOWN_WORD}"),
    "sessions-rare": page(
        f"/admin/sessions?user={{many_sessions_user}}&device={UNKNOWN_WORD}"
    ),
    "sessions-refused": page(f"/admin/sessions?network=x&device={LONG}", 400),
    "end-session": page("/admin/sessions/end?session={session}"),
    "end-session-wrong-password": submitted(
        "/admin/sessions/end?session={session}", 401, OLD, password="wrong"
    ),
    "end-all": page("/admin/sessions/end-all"),
    "end-all-wrong-name": submitted(
        "/admin/sessions/end-all", 400, name="yes"
    ),
    "end-all-wrong-password": submitted(
        "/admin/sessions/end-all",
        401,
        OLD,
        name="vestibule",
        password="wrong",
    ),
    "events": page("/admin/events"),
    "events-next": next_page("/admin/events"),
    "events-none": page(f"/admin/events?user={UNKNOWN_WORD}"),
    "events-refused": page("/admin/events?since=x&network=x", 400),
    "figures": page("/admin/figures"),
    "figures-week": page("/admin/figures?period=week"),
    "figures-month": page("/admin/figures?period=month"),
    "figures-refused": page("/admin/figures?period=year", 400),
}
#: Scenes of pages that `test_every_page` checks too, in the same state.
SHOWN_ELSEWHERE = frozenset(
    {
        "overview",
        "users",
        "users-selected",
        "add-password",
        "user",
        "sessions",
        "end-session",
        "events",
        "figures",
        "figures-month",
    }
)
#: Scenes with the markup of another one, and other texts.
SAME_MARKUP = frozenset(
    {
        "disable",
        "enable",
        "make-admin",
        "make-member",
        "unlock",
        "reset-factors",
        "end-sessions",
        "figures-week",
        "users-sorted",
        "end-session-wrong-password",
        "end-all-wrong-password",
    }
)

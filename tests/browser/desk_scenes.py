#!/usr/bin/env python3
"""The scenes of the desk: each of its pages, in each of its states.

Each is a function that brings a visitor's browser there, as the only
admin of a town.
"""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.scenes import enter, submit
from tests.browser.town import NOBODY, Town, fail, forgive
from tests.browser.visitor import Visitor
from vestibule.db.models.user_session import UserSession
from vestibule.web.admin.user_actions import USER_ACTIONS

Scene = Callable[[Visitor, Town], None]
LONG = "x" * 300
#: Hours after which a login is no recent proof.
OLD = 1


def filled(address: str, town: Town) -> str:
    """Return an address with the ids of those whom it names."""
    (session,) = UserSession.newest(town.bob.id, 1)
    return address.format(
        chief=town.chief.id,
        bob=town.bob.id,
        dora=town.dora.id,
        swarm=town.swarm.id,
        newcomer=town.newcomer.id,
        session=session.id,
    )


def page(address: str, status: int = 200, hours: float = 0) -> Scene:
    """Return the scene of a page, so many hours after the login."""

    def scene(visitor: Visitor, town: Town) -> None:
        """Open it, and the first of its tables, which are all alike."""
        enter(visitor, town.chief, hours)
        visitor.open(filled(address, town), status)
        summaries = visitor.page.locator("main summary")
        if summaries.count():
            summaries.first.click()

    return scene


def later(address: str) -> Scene:
    """Return the scene of the page that follows on one of a list."""

    def scene(visitor: Visitor, town: Town) -> None:
        """Open the list and go on."""
        page(address)(visitor, town)
        visitor.page.locator(".pager a[rel='next']").click()
        expect(visitor.page.locator(".pager a").first).not_to_have_attribute(
            "rel", "next"
        )

    return scene


def sent(address: str, status: int, hours: float = 0, **fields: str) -> Scene:
    """Return the scene of a form that was sent, with what was typed."""

    def scene(visitor: Visitor, town: Town) -> None:
        """Open it, fill it in and send it."""
        forgive(town.chief)
        page(address, hours=hours)(visitor, town)
        visitor.fill(**fields)
        submit(visitor, status)

    return scene


def has_to_wait(visitor: Visitor, town: Town) -> None:
    """Prove the password after too many failures."""
    page("/admin/users/{bob}/delete", hours=OLD)(visitor, town)
    fail(town.chief, "127.0.0.1")
    visitor.fill(password="wrong password")
    submit(visitor, 429)
    forgive(town.chief)


def told(visitor: Visitor, town: Town) -> None:
    """Be told that something was done, which was so before."""
    sent("/admin/users/{newcomer}/enable", 303)(visitor, town)
    expect(visitor.page.get_by_role("status")).to_be_visible()


#: Every scene of the desk.
DESK_SCENES: dict[str, Scene] = {
    "users": page("/admin"),
    "users-next": later("/admin"),
    "users-none": page(f"/admin?q={NOBODY}"),
    "users-refused": page(f"/admin?q={LONG}", 400),
    "users-elsewhere": page("/admin?after=forged", 400),
    "add": page("/admin/users/add"),
    "add-password": page("/admin/users/add", hours=OLD),
    "add-refused": sent("/admin/users/add", 400, email="bob@example.com"),
    "user": page("/admin/users/{bob}"),
    "user-told": told,
    "user-own": page("/admin/users/{chief}"),
    "user-disabled": page("/admin/users/{dora}"),
    "user-new": page("/admin/users/{newcomer}"),
    "user-nowhere": page("/admin/users/nobody", 404),
    **{deed: page(f"/admin/users/{{bob}}/{deed}") for deed in USER_ACTIONS},
    "deed-own": page("/admin/users/{chief}/disable"),
    "deed-password": page("/admin/users/{bob}/delete", hours=OLD),
    "deed-wrong-password": sent(
        "/admin/users/{bob}/delete", 401, OLD, password="wrong password"
    ),
    "deed-wait": has_to_wait,
    "last-admin": sent("/admin/users/{chief}/make-member", 409),
    "code-shown": sent("/admin/users/{newcomer}/code", 200),
    "sessions": page("/admin/sessions"),
    "sessions-next": later("/admin/sessions?user={bob}"),
    "sessions-none": page(f"/admin/sessions?user={NOBODY}"),
    "sessions-rare": page(f"/admin/sessions?user={{swarm}}&device={NOBODY}"),
    "sessions-refused": page(f"/admin/sessions?network=x&device={LONG}", 400),
    "end-session": page("/admin/sessions/end?session={session}"),
    "end-session-wrong-password": sent(
        "/admin/sessions/end?session={session}", 401, OLD, password="wrong"
    ),
    "end-all": page("/admin/sessions/end-all"),
    "end-all-wrong-name": sent("/admin/sessions/end-all", 400, name="yes"),
    "end-all-wrong-password": sent(
        "/admin/sessions/end-all",
        401,
        OLD,
        name="vestibule",
        password="wrong",
    ),
    "events": page("/admin/events"),
    "events-next": later("/admin/events"),
    "events-none": page(f"/admin/events?user={NOBODY}"),
    "events-refused": page("/admin/events?since=x&network=x", 400),
    "figures": page("/admin/figures"),
    "figures-week": page("/admin/figures?period=week"),
    "figures-month": page("/admin/figures?period=month"),
    "figures-refused": page("/admin/figures?period=year", 400),
}

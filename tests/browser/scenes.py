#!/usr/bin/env python3
"""The scenes of a visit: each page, in each state that people see it in.

Each is a function that brings a visitor's browser there.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.serving import COOKIE
from vestibule.accounts.password_reset import issue_code
from vestibule.core import clock
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

PASSWORD = "violet umbrella 7 kites"
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML,"
    " like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)

Scene = Callable[[Visitor, User], None]


def submit(visitor: Visitor, status: int) -> None:
    """Send the first form of the page's main part."""
    with visitor.page.expect_response(
        lambda response: response.request.is_navigation_request()
    ) as caught:
        visitor.page.locator("main form button:not([type])").first.click()
    assert caught.value.status == status
    visitor.page.wait_for_load_state()


def sign_in(visitor: Visitor, user: User) -> None:
    """Sign the user in, whatever the language."""
    visitor.open("/sign-in")
    visitor.fill(email=str(user.email), password=PASSWORD)
    submit(visitor, 303)
    visitor.is_at("/account")


def enter(visitor: Visitor, user: User, hours: float = 0) -> None:
    """Give the browser a session that the user began so many hours ago.

    For tests of what comes after: it takes no page, and no hash.
    """
    secret, began = secrets.token_urlsafe(), clock.now()
    began -= timedelta(hours=hours)
    UserSession(
        user_id=user.id,
        session_id=secret,
        created_at=began,
        authenticated_at=began,
        last_seen_at=began,
        ip="127.0.0.1",
        user_agent=PHONE,
        method="password",
    ).save()
    visitor.context.add_cookies(
        [{"name": COOKIE, "value": secret, "url": visitor.url}]
    )


def at(path: str, status: int = 200) -> Scene:
    """Return the scene of the page at a path, signed out."""
    return lambda visitor, user: visitor.open(path, status)


def inside(path: str, status: int = 200) -> Scene:
    """Return the scene of the page at a path, signed in."""

    def scene(visitor: Visitor, user: User) -> None:
        """Sign in and open it."""
        sign_in(visitor, user)
        visitor.open(path, status)

    return scene


def wrong_password(visitor: Visitor, user: User) -> None:
    """Sign in by a wrong password."""
    visitor.open("/sign-in")
    visitor.fill(email=str(user.email), password="wrong password")
    submit(visitor, 401)


def already_in(visitor: Visitor, user: User) -> None:
    """Come to sign in when signed in."""
    sign_in(visitor, user)
    visitor.open("/sign-in")


def session_ended(visitor: Visitor, user: User) -> None:
    """Come back when the session was ended elsewhere."""
    other = visitor.companion()
    sign_in(visitor, user)
    sign_in(other, user)
    other.open("/account/sessions")
    other.page.locator("main details.all summary").click()
    other.page.locator("main details.all button").click()
    expect(other.page.locator("ul.rows > li")).to_have_count(1)
    visitor.page.goto("/account")
    visitor.is_at("/sign-in")


def signed_out(visitor: Visitor, user: User) -> None:
    """Sign out."""
    sign_in(visitor, user)
    visitor.page.locator("header form button").click()
    visitor.is_at("/signed-out")


def register_refused(visitor: Visitor, user: User) -> None:
    """Register with an email that is taken."""
    visitor.open("/register")
    visitor.fill(email=str(user.email), password=PASSWORD)
    submit(visitor, 400)


def reset_refused(visitor: Visitor, user: User) -> None:
    """Set a new password by a code that is wrong."""
    visitor.open("/reset")
    visitor.fill(email=str(user.email), code="wrong", new_password=PASSWORD)
    submit(visitor, 400)


def reset_done(visitor: Visitor, user: User) -> None:
    """Set a new password by the code of an admin."""
    visitor.open("/reset")
    visitor.fill(
        email=str(user.email),
        code=issue_code(user).code,
        new_password=f"{PASSWORD} more",
    )
    submit(visitor, 303)
    visitor.is_at("/sign-in")


def cross_site(visitor: Visitor, user: User) -> None:
    """Send a form from the page of another site."""
    visitor.page.set_content(
        f'<main><form method="post" action="{visitor.url}/sign-in">'
        '<input name="email"><input name="password"><button>'
    )
    visitor.fill(email=str(user.email), password=PASSWORD)
    submit(visitor, 403)


def several_sessions(visitor: Visitor, user: User) -> None:
    """Have sessions in three browsers, and be about to end one."""
    for agent in (PHONE, None):
        sign_in(visitor.companion(user_agent=agent), user)
    sign_in(visitor, user)
    visitor.open("/account/sessions")
    expect(visitor.page.locator("ul.rows > li")).to_have_count(3)
    visitor.page.locator("li summary").first.click()


def many_sessions(visitor: Visitor, user: User) -> None:
    """Have more sessions than a page shows, and leaf."""
    for number in range(25):
        UserSession(
            user_id=user.id,
            session_id=f"{user.id}{number}",
            user_agent=PHONE,
            ip="192.0.2.1",
            method="password",
        ).save()
    sign_in(visitor, user)
    visitor.open("/account/sessions")
    visitor.page.locator("main .pager a").click()
    visitor.page.wait_for_url("**/account/sessions?*")


def account_refused(visitor: Visitor, user: User) -> None:
    """Try to change the password without knowing it."""
    sign_in(visitor, user)
    visitor.fill(current_password="wrong password", new_password="short")
    with visitor.page.expect_navigation():
        visitor.page.locator("input[name='new_password']").press("Enter")
    invalid = visitor.page.locator("input[aria-invalid]")
    expect(invalid.first).to_be_attached()


def activity(visitor: Visitor, user: User) -> None:
    """Have failed and succeeded to sign in."""
    wrong_password(visitor, user)
    sign_in(visitor, user)
    visitor.open("/account/activity")


#: Every scene of a house where people may register.
SCENES: dict[str, Scene] = {
    "sign-in": at("/sign-in"),
    "wrong-password": wrong_password,
    "already-in": already_in,
    "session-ended": session_ended,
    "signed-out": signed_out,
    "register": at("/register"),
    "register-refused": register_refused,
    "reset": at("/reset"),
    "reset-refused": reset_refused,
    "reset-done": reset_done,
    "403": cross_site,
    "404": at("/nowhere", 404),
    "405": at("/sign-out", 405),
    "account": inside("/account"),
    "account-refused": account_refused,
    "delete": inside("/account/delete"),
    "one-session": inside("/account/sessions"),
    "sessions": several_sessions,
    "older-sessions": many_sessions,
    "activity": activity,
    "404-inside": inside("/nowhere", 404),
}

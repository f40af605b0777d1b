#!/usr/bin/env python3
"""Scenes of the user pages: each page in each of its states.

A scene is a function that brings a browser to a page in that state.
"""

import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.serving import COOKIE
from vestibule.accounts.recovery import issue_code
from vestibule.core import clock
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

PASSWORD = "violet umbrella 7 kites"
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML,"
    " like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)

Scene = Callable[[Browser, User], None]


def submit(browser: Browser, status: int) -> None:
    """Send the first form in the main part of the page."""
    with browser.page.expect_response(
        lambda response: response.request.is_navigation_request()
    ) as caught:
        browser.page.locator("main form button:not([type])").first.click()
    assert caught.value.status == status
    browser.page.wait_for_load_state()


def sign_in(browser: Browser, user: User) -> None:
    """Sign a user in with a browser of any language."""
    browser.open("/sign-in")
    browser.fill(email=str(user.email), password=PASSWORD)
    submit(browser, 303)
    browser.expect_path("/account")


def store_session(user: User, hours: float = 0) -> str:
    """Store a session that began some hours ago; return its id."""
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
    return secret


def add_session(browser: Browser, user: User, hours: float = 0) -> None:
    """Give the browser a session that began some hours ago.

    It is faster than signing in, since no page opens and nothing is hashed.
    """
    secret = store_session(user, hours)
    browser.context.add_cookies(
        [{"name": COOKIE, "value": secret, "url": browser.url}]
    )


def at(path: str, status: int = 200) -> Scene:
    """Return the scene of a page, opened without a session."""
    return lambda browser, user: browser.open(path, status)


def inside(path: str, status: int = 200) -> Scene:
    """Return the scene of a page, opened after signing in."""

    def scene(browser: Browser, user: User) -> None:
        """Sign in and open the page."""
        sign_in(browser, user)
        browser.open(path, status)

    return scene


def wrong_password(browser: Browser, user: User) -> None:
    """Sign in with a wrong password."""
    browser.open("/sign-in")
    browser.fill(email=str(user.email), password="wrong password")
    submit(browser, 401)


def already_in(browser: Browser, user: User) -> None:
    """Open the sign-in page while signed in."""
    sign_in(browser, user)
    browser.open("/sign-in")


def session_ended(browser: Browser, user: User) -> None:
    """Open a page after another browser ended the session."""
    other = browser.open_another()
    sign_in(browser, user)
    sign_in(other, user)
    other.open("/account/sessions")
    other.page.locator("main a[href$='/end-others']").click()
    submit(other, 303)
    expect(other.page.locator("ul.rows > li")).to_have_count(1)
    browser.goto("/account")
    browser.expect_path("/sign-in")


def signed_out(browser: Browser, user: User) -> None:
    """Sign out."""
    sign_in(browser, user)
    browser.page.locator("header form button").click()
    browser.expect_path("/signed-out")


def register_refused(browser: Browser, user: User) -> None:
    """Register with an email that is already in use."""
    browser.open("/register")
    browser.fill(email=str(user.email), password=PASSWORD)
    submit(browser, 400)


def reset_refused(browser: Browser, user: User) -> None:
    """Set a new password with a wrong code."""
    browser.open("/reset")
    browser.fill(email=str(user.email), code="wrong", new_password=PASSWORD)
    submit(browser, 400)


def reset_done(browser: Browser, user: User) -> None:
    """Set a new password with a valid code."""
    browser.open("/reset")
    browser.fill(
        email=str(user.email),
        code=issue_code(user).code,
        new_password=f"{PASSWORD} more",
    )
    submit(browser, 303)
    browser.expect_path("/account")


def cross_site(browser: Browser, user: User) -> None:
    """Send a form from a page of another site."""
    browser.page.set_content(
        f'<main><form method="post" action="{browser.url}/sign-in">'
        '<input name="email"><input name="password"><button>'
    )
    browser.fill(email=str(user.email), password=PASSWORD)
    submit(browser, 403)


def wrong_method(browser: Browser, user: User) -> None:
    """Send a form to a page that takes none."""
    browser.open("/signed-out")
    with browser.page.expect_navigation():
        browser.page.evaluate(
            """() => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = location.href;
            document.body.append(form);
            form.submit();
        }"""
        )


def several_sessions(browser: Browser, user: User) -> None:
    """Sign in with three browsers, and open the list of sessions."""
    for agent in (PHONE, None):
        sign_in(browser.open_another(user_agent=agent), user)
    sign_in(browser, user)
    browser.open("/account/sessions")
    expect(browser.page.locator("ul.rows > li")).to_have_count(3)


def confirm_session(page: str) -> Scene:
    """Return the scene of a confirmation page for another session."""

    def scene(browser: Browser, user: User) -> None:
        """Follow the link of the first other session to the page."""
        several_sessions(browser, user)
        browser.page.locator(f"li a[href*='/sessions/{page}']").first.click()
        browser.expect_path(f"/account/sessions/{page}")

    return scene


def many_sessions(browser: Browser, user: User) -> None:
    """Open the second page of a long list of sessions."""
    for number in range(25):
        UserSession(
            user_id=user.id,
            session_id=f"{user.id}{number}",
            user_agent=PHONE,
            ip="192.0.2.1",
            method="password",
        ).save()
    sign_in(browser, user)
    browser.open("/account/sessions")
    browser.page.locator("main .pager a").click()
    browser.page.wait_for_url("**/account/sessions?*")


def account_refused(browser: Browser, user: User) -> None:
    """Change the password with a wrong current password."""
    sign_in(browser, user)
    browser.fill(current_password="wrong password", new_password="short")
    with browser.page.expect_navigation():
        browser.page.locator("input[name='new_password']").press("Enter")
    invalid = browser.page.locator("input[aria-invalid]")
    expect(invalid.first).to_be_attached()


def activity(browser: Browser, user: User) -> None:
    """Open the activity after a failed and a successful sign-in."""
    wrong_password(browser, user)
    sign_in(browser, user)
    browser.open("/account/activity")


#: Every scene of a server with open registration.
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
    "405": wrong_method,
    "account": inside("/account"),
    "account-refused": account_refused,
    "sign-out": inside("/sign-out"),
    "delete": inside("/account/delete"),
    "one-session": inside("/account/sessions"),
    "sessions": several_sessions,
    "end-session": confirm_session("end"),
    "not-me": confirm_session("not-me"),
    "end-others": inside("/account/sessions/end-others"),
    "welcome": inside("/account/welcome"),
    "older-sessions": many_sessions,
    "activity": activity,
    "404-inside": inside("/nowhere", 404),
}
#: Scenes of pages that `test_every_page` checks too, in the same state.
SHOWN_ELSEWHERE = frozenset(
    {
        "sign-in",
        "register",
        "reset",
        "account",
        "sign-out",
        "sessions",
        "end-session",
        "not-me",
        "end-others",
        "welcome",
        "activity",
    }
)


def scene_parameters(
    scenes: Iterable[str], repeated: frozenset[str]
) -> list[object]:
    """Return the names of scenes, of which the repeated are for torture."""
    return [
        pytest.param(
            name, marks=[pytest.mark.torture] if name in repeated else []
        )
        for name in scenes
    ]

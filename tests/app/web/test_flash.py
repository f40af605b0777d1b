#!/usr/bin/env python3
"""Flash messages are shown once, and cannot be forged."""

import re

import pytest

from tests.app.api.service import NEW, Service, stored_user
from tests.app.web.browser import Browser, Page
from vestibule.accounts.recovery import issue_code
from vestibule.db.models.user import User
from vestibule.web.messages import COOKIE, Message

PASSWORD_SET = "Your password is set. You are signed in."


@pytest.fixture
def user() -> User:
    """Return a user who forgot the password."""
    return stored_user()


def reset(browser: Browser, user: User, **more: str) -> str:
    """Set the user's new password; return the cookies of the response."""
    answer = browser.post(
        "/reset",
        {
            "email": str(user.email),
            "code": issue_code(user).code,
            "new_password": NEW,
        },
        **more,
    )
    assert answer.status_code == 303
    return "\n".join(answer.headers.getlist("Set-Cookie"))


def test_flash_message_is_shown_once(service: Service, user: User) -> None:
    """The next page shows it, whichever that is."""
    browser = Browser(service)
    reset(browser, user)
    assert PASSWORD_SET in Page(browser.get("/nothing")).text
    assert PASSWORD_SET not in browser.get("/account").text


def test_forged_flash_cookie_shows_no_text(
    service: Service, user: User
) -> None:
    """The cookie names one of our messages; other text is not shown."""
    browser = Browser(service)
    for value in ("Call 0900 123", "PASSWORD_RESET", "", "<b>", "x" * 4_000):
        browser.client.set_cookie(COOKIE, value)
        answer = browser.get("/sign-in")
        assert answer.status_code == 200
        assert "notice" not in answer.text
        assert "0900" not in answer.text


@pytest.mark.parametrize("base", ["http://a.example", "https://a.example"])
def test_flash_cookie_has_flags_of_session_cookie(
    service: Service, user: User, base: str
) -> None:
    """Scripts and other sites cannot read it."""
    sent = reset(Browser(service), user, base_url=base)
    (sent,) = re.findall(
        f"^{COOKIE}={Message.PASSWORD_SET.value};.*", sent, re.MULTILINE
    )
    assert "HttpOnly" in sent
    assert "SameSite=Lax" in sent
    assert ("Secure" in sent) is base.startswith("https")


def test_each_flash_code_has_a_message(service: Service, user: User) -> None:
    """It holds in both languages."""
    for language in ("en", "fr"):
        sentences = set()
        for notice in Message:
            browser = Browser(service, **{"Accept-Language": language})
            browser.client.set_cookie(COOKIE, notice.value)
            answer = browser.get("/signed-out")
            sentences.add(answer.text.split("autofocus>")[1].split("</p>")[0])
        assert len(sentences) == len(Message)

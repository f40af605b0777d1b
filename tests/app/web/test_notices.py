#!/usr/bin/env python3
"""What a page tells once: whose words, and to whom."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import NEW, House, stored_user
from tests.app.web.visitor import Page, Visitor
from vestibule.accounts.password_reset import issue_code
from vestibule.db.models.user import User
from vestibule.web.flash import COOKIE, Message

TOLD = "Your password was set. Sign in with it now."


@pytest.fixture
def user() -> User:
    """Return a user who forgot the password."""
    return stored_user()


@pytest.fixture
def house(build: Build) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def reset(visitor: Visitor, user: User, **more: str) -> str:
    """Set the user's new password; return the cookies that come along."""
    answer = visitor.post(
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


def test_it_is_told_once(house: House, user: User) -> None:
    """By the next page, whichever that is."""
    visitor = Visitor(house)
    reset(visitor, user)
    assert TOLD in Page(visitor.get("/nothing")).text
    assert TOLD not in visitor.get("/sign-in").text


def test_nobody_puts_words_into_our_mouth(house: House, user: User) -> None:
    """A cookie names one of our texts; what it says itself is not shown."""
    visitor = Visitor(house)
    for value in ("Call 0900 123", "PASSWORD_RESET", "", "<b>", "x" * 4_000):
        visitor.client.set_cookie(COOKIE, value)
        answer = visitor.get("/sign-in")
        assert answer.status_code == 200
        assert "notice" not in answer.text
        assert "0900" not in answer.text


@pytest.mark.parametrize("base", ["http://a.example", "https://a.example"])
def test_its_cookie_is_kept_as_that_of_a_session(
    house: House, user: User, base: str
) -> None:
    """Out of reach of scripts and other sites, and of plain text by TLS."""
    sent = reset(Visitor(house), user, base_url=base)
    assert sent.startswith(f"{COOKIE}={Message.PASSWORD_RESET.value};")
    assert "HttpOnly" in sent
    assert "SameSite=Lax" in sent
    assert ("Secure" in sent) is base.startswith("https")


def test_each_notice_has_a_text(house: House, user: User) -> None:
    """In both languages."""
    for language in ("en", "fr"):
        told = set()
        for notice in Message:
            visitor = Visitor(house, **{"Accept-Language": language})
            visitor.client.set_cookie(COOKIE, notice.value)
            answer = visitor.get("/signed-out")
            told.add(answer.text.split('role="status">')[1].split("</p>")[0])
        assert len(told) == len(Message)

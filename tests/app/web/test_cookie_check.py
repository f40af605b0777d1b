#!/usr/bin/env python3
"""The sign-in page says when the browser does not keep its cookie."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    PASSWORD,
    stored_user,
)
from tests.app.web.browser import Browser, Page
from vestibule.db.models.user_session import UserSession


def hidden_fields(page: Page) -> dict[str, str | None]:
    """Return the hidden fields of a page's forms."""
    return {
        name: field["value"]
        for name, field in page.fields().items()
        if field.get("type") == "hidden"
    }


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "Allow cookies for this site"),
        ({"COOKIE_SECURE": "always"}, "begins with https://"),
        (
            {"COOKIE_SECURE": "always", "SESSION_NAME": "__Host-session"},
            "begins with https://",
        ),
    ],
)
def test_browser_that_keeps_no_cookie_is_told(
    build: Build, more: dict[str, str], text: str
) -> None:
    """Cookies are off, or hardened settings are served over plain HTTP."""
    service = build("session_db_auth", WEB_PAGES="on", **more)
    user = stored_user()
    browser = Browser(service)
    form = browser.get("/sign-in?return_to=/account/sessions")
    assert "vestibule_cookie_test=1" in form.headers["Set-Cookie"]
    fields = hidden_fields(Page(form))
    for name in ("vestibule_cookie_test", "__Host-vestibule_cookie_test"):
        browser.client.delete_cookie(name)
    answer = browser.post(
        "/sign-in", {"email": user.email, "password": PASSWORD, **fields}
    )
    assert answer.status_code == 400
    assert "did not keep the cookie" in Page(answer).text
    assert text in Page(answer).text
    assert hidden_fields(Page(answer)) == fields
    assert UserSession.count() == 0


def test_browser_that_keeps_cookies_is_signed_in(build: Build) -> None:
    """Over TLS too, with a name for TLS only."""
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        COOKIE_SECURE="always",
        SESSION_NAME="__Host-session",
    )
    user = stored_user()
    browser = Browser(service)
    at = {"base_url": "https://localhost"}
    fields = hidden_fields(Page(browser.get("/sign-in", **at)))
    answer = browser.post(
        "/sign-in",
        {"email": user.email, "password": PASSWORD, **fields},
        **at,
    )
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/account",
    )

#!/usr/bin/env python3
"""Entries of a form survive an expired session, but never secrets."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from vestibule.db.models.user import User
from vestibule.web.kept_form import COOKIE, LIFETIME_SECONDS, MAX_COOKIE_BYTES

NAME, PASSWORDS = "/account/name", "/account/password"


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service whose sessions end after a minute without use."""
    return build("session_db_auth", WEB_PAGES="on", SESSION_IDLE_TIMEOUT="60")


def sent_late(
    browser: Browser, set_clock: SetClock, path: str, form: dict[str, str]
) -> TestResponse:
    """Send a form after its session has expired; return the redirect."""
    set_clock.advance(61)
    answer = browser.post(path, form)
    assert answer.status_code == 303
    return answer


def sign_in(browser: Browser, user: User, path: str) -> TestResponse:
    """Sign in again on the page that a redirect led to; return the next."""
    form = {"email": user.email, "password": PASSWORD, "return_to": path}
    return browser.follow(browser.post("/sign-in", form))


def kept(browser: Browser) -> Any:
    """Return what the cookie has; `None` without one."""
    cookie = browser.client.get_cookie(COOKIE)
    if cookie is None:
        return None
    return json.loads(urlsafe_b64decode(cookie.value))


def keep(browser: Browser, content: str | bytes) -> None:
    """Forge the cookie."""
    data = content.encode() if isinstance(content, str) else content
    browser.client.set_cookie(COOKIE, urlsafe_b64encode(data).decode())


def test_entries_are_back_after_the_next_sign_in(
    service: Service, set_clock: SetClock
) -> None:
    """The page says that they are not saved yet, once."""
    user = stored_user()
    browser = signed_in(service, user)
    form = {"account": user.id, "first_name": "Zoë", "last_name": "<b>"}
    answer = sent_late(browser, set_clock, NAME, form)
    assert answer.headers["Location"] == "/sign-in?return_to=%2Faccount%2Fname"
    assert "Sign in to get back to your entries." in (
        Page(browser.follow(answer)).text
    )
    page = Page(sign_in(browser, user, NAME))
    fields = page.fields()
    assert fields["first_name"]["value"] == "Zoë"
    assert fields["last_name"]["value"] == "<b>"
    assert "Your entries are not saved yet." in page.text
    stored = User.get(user.id)
    assert stored is not None and stored.first_name is None
    again = Page(browser.get(NAME))
    assert again.fields()["first_name"]["value"] == ""
    assert "not saved yet" not in again.text


def test_passwords_are_not_kept(service: Service, set_clock: SetClock) -> None:
    """A form of nothing else leaves no cookie, and the page says so."""
    user = stored_user()
    browser = signed_in(service, user)
    form = {
        "account": user.id,
        "current_password": PASSWORD,
        "new_password": NEW,
    }
    answer = sent_late(browser, set_clock, PASSWORDS, form)
    assert kept(browser) is None
    assert "nothing was saved. Sign in and try again." in (
        Page(browser.follow(answer)).text
    )
    browser = signed_in(service, user)
    form = {"account": user.id, "email": "a@b.example", "password": PASSWORD}
    sent_late(browser, set_clock, "/account/email", form)
    assert kept(browser)[0] == "/account/email"
    assert dict(kept(browser)[1]) == {
        "account": user.id,
        "email": "a@b.example",
    }


def test_cookie_is_out_of_reach_of_scripts_and_sites(
    service: Service, set_clock: SetClock
) -> None:
    """And it does not stay for long."""
    user = stored_user()
    browser = signed_in(service, user)
    form = {"account": user.id, "first_name": "Amy"}
    sent_late(browser, set_clock, NAME, form)
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie is not None
    assert cookie.http_only and cookie.same_site == "Lax"
    assert cookie.max_age == LIFETIME_SECONDS


def test_another_user_of_the_browser_does_not_see_entries(
    service: Service, set_clock: SetClock
) -> None:
    """Only the account that the form was made for gets them."""
    user, other = stored_user(), stored_user()
    browser = signed_in(service, user)
    form = {"account": user.id, "first_name": "Secretive"}
    sent_late(browser, set_clock, NAME, form)
    assert kept(browser) is not None
    assert "Secretive" not in sign_in(browser, other, NAME).text


def test_entries_of_another_site_are_not_kept(
    service: Service, set_clock: SetClock
) -> None:
    """No site puts entries into a form."""
    user = stored_user()
    browser = signed_in(service, user)
    set_clock.advance(61)
    answer = browser.post(
        NAME,
        {"account": user.id, "first_name": "Evil"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert kept(browser) is None


def test_long_entries_are_not_kept_and_the_page_says_so(
    service: Service, set_clock: SetClock
) -> None:
    """Browsers would drop a cookie of that size in silence."""
    user = stored_user()
    browser = signed_in(service, user)
    form = {"account": user.id, "first_name": "x" * MAX_COOKIE_BYTES}
    answer = sent_late(browser, set_clock, NAME, form)
    assert kept(browser) is None
    assert "nothing was saved. Sign in and try again." in (
        Page(browser.follow(answer)).text
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        '["/account/name"]',
        '["/account/name", 5]',
        '["/account/name", [["a"]]]',
        '["/account/name", [[["x"], {"y": 1}]]]',
        "[" * 1_000,
        b"\xff\xfe",
        b"\0",
    ],
)
def test_forged_cookie_counts_as_none(
    service: Service, content: str | bytes
) -> None:
    """The page is shown with what is stored."""
    user = stored_user()
    browser = signed_in(service, user)
    keep(browser, content)
    answer = browser.get(NAME)
    assert answer.status_code == 200
    assert "not saved yet" not in Page(answer).text


def test_forged_cookie_fills_no_password_in(service: Service) -> None:
    """Nor does it change anything by itself."""
    user = stored_user()
    browser = signed_in(service, user)
    entries = [["account", user.id], ["new_password", NEW], ["code", NEW]]
    keep(browser, json.dumps([PASSWORDS, entries]))
    assert NEW not in browser.get(PASSWORDS).text
    stored = User.get(user.id)
    assert stored is not None and stored.is_valid_password(PASSWORD)

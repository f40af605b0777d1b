#!/usr/bin/env python3
"""The second step offers to trust the browser; the sessions page lists it."""

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.app.web.factor_pages import (
    SIGN_IN,
    STEP,
    Owner,
    owner,
    waiting,
    with_key,
)
from vestibule.http.second_step import browsers_trusted_by

__all__ = ["owner", "with_key"]
LIST = "/account/sessions"
UNTRUST = f"{LIST}/untrust"


def trusted(service: Service, owner: Owner) -> Browser:
    """Return a browser that gave both factors, and is trusted."""
    browser = waiting(service, owner.user)
    answer = browser.post(STEP, {"code": owner.code(), "trust": "on"})
    assert answer.headers["Location"] == "/account"
    return browser


def sign_in(browser: Browser, owner: Owner) -> str:
    """Sign in again; return the page that it leads to."""
    form = {"email": str(owner.user.email), "password": PASSWORD}
    return browser.post(SIGN_IN, form).headers["Location"]


def test_second_step_offers_to_trust_the_browser(
    service: Service, owner: Owner
) -> None:
    """The box is not ticked, and there is none for a recovery code."""
    browser = waiting(service, owner.user)
    box = Page(browser.get(STEP)).fields()["trust"]
    assert box["type"] == "checkbox"
    assert "checked" not in box
    assert "trust" not in Page(browser.get(f"{STEP}?use=recovery")).fields()


def test_hardened_profile_offers_no_trust(build: Build, owner: Owner) -> None:
    """Nor does a forged field trust the browser."""
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        SECURITY_PROFILE="hardened",
        SESSION_NAME="__Host-session",
    )
    browser = Browser(service)
    form = {"email": str(owner.user.email), "password": PASSWORD}
    secure = {"base_url": "https://localhost"}
    browser.post(SIGN_IN, form, **secure)
    assert "trust" not in Page(browser.get(STEP, **secure)).fields()
    browser.post(STEP, {"code": owner.code(), "trust": "on"}, **secure)
    assert browsers_trusted_by(owner.user, service.mechanism) == []
    assert browser.client.get_cookie("__Host-vestibule_trust") is None


def test_trusted_browser_signs_in_without_the_step(
    service: Service, owner: Owner
) -> None:
    """It is listed with the sessions, and the session says so."""
    browser = trusted(service, owner)
    assert sign_in(browser, owner) == "/account"
    text = " ".join(Page(browser.get(LIST)).text.split())
    assert "Trusted browsers" in text
    assert "password and trusted browser · level 1" in text


def test_user_stops_trusting_a_browser(service: Service, owner: Owner) -> None:
    """The button ends it; the page lists it no more."""
    browser = trusted(service, owner)
    handle = str(Page(browser.get(LIST)).fields()["browser"]["value"])
    answer = browser.post(UNTRUST, {"browser": handle})
    assert "asked for the code again" in Page(browser.follow(answer)).text
    assert sign_in(browser, owner).startswith(STEP)


def test_other_users_browser_stays_trusted(
    service: Service, owner: Owner
) -> None:
    """A handle is no secret, and gives no access."""
    browser = trusted(service, owner)
    handle = str(Page(browser.get(LIST)).fields()["browser"]["value"])
    other = Browser(service)
    form = {"email": str(stored_user().email), "password": PASSWORD}
    other.post(SIGN_IN, form)
    for forged in (handle, "", "\x00", "x" * 5_000):
        assert other.post(UNTRUST, {"browser": forged}).status_code == 303
    assert sign_in(browser, owner) == "/account"

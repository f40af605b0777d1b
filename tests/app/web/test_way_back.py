#!/usr/bin/env python3
"""A user who is led to set up a second factor gets back afterwards."""

import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.app.web.factor_pages import (
    FACTORS,
    Owner,
    code_of,
    owner,
    with_key,
)
from tests.app.web.factor_pages import signed_in as signed_in_by_code
from tests.app.web.test_factor_pages import codes_in, key_in
from tests.app.web.test_passkey_pages import added
from tests.clocks import SetClock
from tests.soft_authenticator import SoftAuthenticator

__all__ = ["owner", "with_key"]

STEP_UP = f"{FACTORS}/step-up"
APP = "https://app.example/inbox?page=2&a=%3C"
HERE = "/account/sessions?place=1"
UNSAFE = [
    "//evil.example/",
    "https://evil.example/",
    "javascript:alert(1)",
    "/\\evil.example",
    "https://app.example@evil.example/",
    "http:evil.example",
]


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages, before one application."""
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        ALLOWED_RETURN_HOSTS="app.example",
        PUBLIC_URL="http://localhost",
    )


def links(page: TestResponse, path: str) -> list[str]:
    """Return the addresses of a page that begin with a path."""
    found = re.findall(r'href="([^"]*)"', page.text)
    return [one for one in map(unescape, found) if one.startswith(path)]


def way_back(address: str) -> list[str]:
    """Return where an address leads back to."""
    return parse_qs(urlsplit(address).query).get("return_to", [])


def confirmed(browser: Browser, back: str) -> TestResponse:
    """Add an app from the step-up page on; return the last page."""
    asked = urlencode({"level": "2", "return_to": back})
    (link,) = links(browser.get(f"{STEP_UP}?{asked}"), f"{FACTORS}?")
    (link,) = links(browser.get(link), f"{FACTORS}/add")
    return finished(browser, link)


def finished(browser: Browser, link: str) -> TestResponse:
    """Add an app by the link of the list; return the last page."""
    form = {
        name: str(field["value"])
        for name, field in Page(browser.get(link)).fields().items()
        if "value" in field
    }
    shown = browser.follow(
        browser.post(f"{FACTORS}/add", form | {"name": "tablet"})
    )
    form = {
        name: str(field["value"])
        for name, field in Page(shown).fields().items()
        if "value" in field
    }
    form["code"] = code_of(key_in(shown))
    return browser.post(f"{FACTORS}/confirm", form)


@pytest.mark.parametrize("back", [APP, HERE])
def test_first_app_leads_back_from_its_codes(
    service: Service, back: str
) -> None:
    """The button below the recovery codes opens the page."""
    browser = signed_in(service, stored_user())
    page = confirmed(browser, back)
    assert len(codes_in(page)) == 10
    assert links(page, back) == [back]
    assert links(page, FACTORS) == []


@pytest.mark.parametrize("back", [APP, HERE])
def test_another_app_leads_back_from_the_list(
    service: Service, owner: Owner, back: str
) -> None:
    """The list has a link to go on."""
    browser = signed_in_by_code(service, owner)
    query = urlencode({"return_to": back})
    (link,) = links(browser.get(f"{FACTORS}?{query}"), f"{FACTORS}/add")
    done = finished(browser, link)
    assert way_back(done.headers["Location"]) == [back]
    assert links(browser.get(done.headers["Location"]), back) == [back]


def test_passkey_leads_back(service: Service) -> None:
    """So it does from the page that needs one, and from the list."""
    browser, device = signed_in(service, stored_user()), SoftAuthenticator()
    asked = urlencode({"phishing-resistant": "on", "return_to": APP})
    (link,) = links(browser.get(f"{STEP_UP}?{asked}"), f"{FACTORS}/passkey")
    assert way_back(link) == [APP]
    fields = Page(browser.get(link)).fields()
    assert fields["return_to"]["value"] == APP
    assert f'href="{APP.replace("&", "&amp;")}"' in added(
        browser, device, return_to=APP
    )
    more = added(browser, SoftAuthenticator(), return_to=APP)
    assert f'href="{APP.replace("&", "&amp;")}"' in more


@pytest.mark.parametrize("back", UNSAFE)
def test_unsafe_way_back_is_dropped_on_each_page(
    service: Service, owner: Owner, set_clock: SetClock, back: str
) -> None:
    """No page of the enrolment becomes an open redirect."""
    browser = signed_in_by_code(service, owner)
    query = urlencode({"return_to": back})
    for path in (FACTORS, f"{FACTORS}/add", f"{FACTORS}/passkey", STEP_UP):
        page = browser.get(f"{path}?{query}")
        assert page.status_code == 200
        assert "return_to" not in Page(page).fields()
        for link in links(page, ""):
            is_own = link.startswith(("/", "#")) and "evil" not in link
            assert (is_own, way_back(link)) == (True, []), link
    form = {"name": "tablet", "return_to": back}
    begun = browser.post(f"{FACTORS}/add", form)
    assert "return_to" not in begun.headers["Location"]
    shown = browser.follow(begun)
    factor = str(Page(shown).fields()["factor"]["value"])
    code = code_of(key_in(shown))
    form = {"factor": factor, "code": code, "return_to": back}
    done = browser.post(f"{FACTORS}/confirm", form)
    assert done.headers["Location"] == FACTORS


def test_required_factor_leads_back_to_the_page_that_was_closed(
    build: Build, set_clock: SetClock
) -> None:
    """The user asked for it before the service demanded a factor."""
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        REQUIRE_MFA="all",
        MFA_GRACE="0",
    )
    browser = signed_in(service, stored_user())
    led = browser.get(HERE).headers["Location"]
    assert led.startswith(f"{FACTORS}?")
    (link,) = links(browser.get(led), f"{FACTORS}/add")
    page = finished(browser, link)
    assert links(page, HERE) == [HERE]
    assert browser.get(HERE).status_code == 200

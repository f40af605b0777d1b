#!/usr/bin/env python3
"""Pages that a server rarely shows: first run, throttled, failed, themed."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, StartServer, add_user
from tests.browser.scenes import PASSWORD, submit, wrong_password
from tests.browser.test_scenes import check_accessible, english
from tests.serving import Server
from tests.startup_output import printed_setup_code
from vestibule.accounts.users import SETUP_CODE_LIFETIME

LOCALES = ("en-GB", "fr-FR")
_DEFECT = """
from vestibule.server.granian import main
from vestibule.web.routes import pages, public


@pages.get("/defect")
@public
def defect():
    raise RuntimeError("a defect")


main()
"""
# The clock of the workers is so far ahead that the code has expired.
_LATE = """
import os
from datetime import timedelta

from vestibule.core import clock
from vestibule.server.granian import main

now = clock.now


def move():
    clock.now = lambda: now() + timedelta(seconds={seconds})


os.register_at_fork(after_in_child=move)
main()
"""


class DefectiveServer(Server):
    """A server with a page whose view raises an error."""

    program = ("-c", _DEFECT)


class LateServer(Server):
    """A server whose workers start after the setup code has expired."""

    program = ("-c", _LATE.format(seconds=SETUP_CODE_LIFETIME.total_seconds()))


def check(browser: Browser, locale: str) -> None:
    """Check that the page is accessible and in the right language."""
    check_accessible(browser)
    if locale.startswith("fr"):
        shown = browser.page.inner_text("body")
        assert {text for text in english() if text in shown} == set()


def test_setup_page_keeps_the_email_after_a_wrong_code(
    start_server: StartServer, open_browser: OpenBrowser
) -> None:
    """Any page leads to the setup page while there are no users."""
    server = start_server()
    printed_setup_code(server)
    for locale in LOCALES:
        browser = open_browser(server, locale=locale)
        browser.goto("/account")
        browser.expect_path("/setup")
        check(browser, locale)
        browser.fill(code="wrong", email="ada@example.com", password=PASSWORD)
        submit(browser, 400)
        expect(browser.page.locator("input[name='email']")).to_have_value(
            "ada@example.com"
        )
        check(browser, locale)
        browser.fill(code="wrong", password="short")
        submit(browser, 400)


def test_expired_setup_code_explains_how_to_get_another(
    start_server: StartServer, open_browser: OpenBrowser
) -> None:
    """The page has no form, because no code would be accepted."""
    server = start_server(LateServer)
    _, code = printed_setup_code(server)
    for locale in LOCALES:
        browser = open_browser(server, locale=locale)
        browser.open("/setup")
        check(browser, locale)
        expect(browser.page.locator("main input")).to_have_count(0)
        if locale == "en-GB":
            browser.expect_text("Restart the server: it prints a new code.")
        assert code not in browser.page.content()


def test_throttled_sign_in_says_how_long_to_wait(
    start_server: StartServer,
    open_browser: OpenBrowser,
    frozen_clock_server: Callable[..., Server],
) -> None:
    """The page gives the time in seconds."""
    server = start_server(frozen_clock_server, THROTTLE="on")
    bob = add_user("bob@example.com")
    browser = open_browser(server)
    for _ in range(4):
        wrong_password(browser, bob)
    for locale in LOCALES:
        browser = open_browser(server, locale=locale)
        browser.open("/sign-in")
        browser.fill(email="bob@example.com", password="wrong password")
        submit(browser, 429)
        expect(browser.page.get_by_role("alert")).to_contain_text("second")
        check(browser, locale)


def test_defect_is_a_page_without_details(
    start_server: StartServer, open_browser: OpenBrowser
) -> None:
    """The log has the traceback once, and the page does not have it."""
    server = start_server(DefectiveServer)
    for locale in LOCALES:
        browser = open_browser(server, locale=locale)
        browser.expected_statuses.add(500)
        browser.open("/defect", 500)
        check(browser, locale)
        assert "RuntimeError" not in browser.page.content()
        # The log has the traceback once.
        give_up = time.monotonic() + 60
        log = ""
        while "a defect" not in log and time.monotonic() < give_up:
            time.sleep(0.02)
            log = "".join(server.output)
        assert log.count("Traceback") == log.count("a defect") == 1
        server.output.clear()


@pytest.mark.parametrize(
    "brand",
    [
        {"BRAND_NAME": "<b>Ministry</b> of \u202eSilly Walks"},
        {"BRAND_NAME": "W" * 80, "BRAND_COLOR": "#ffff00"},
        {"BRAND_COLOR": "#000000"},
        {"BRAND_COLOR": "#ffffff"},
        {"BRAND_COLOR": "#808080"},
    ],
    ids=["markup", "long and bright", "black", "white", "grey"],
)
def test_any_brand_name_and_color_is_readable(
    start_server: StartServer, open_browser: OpenBrowser, brand: dict[str, Any]
) -> None:
    """Contrast is sufficient in light and dark, and the name fits."""
    server = start_server(**brand)
    add_user("bob@example.com")
    browser = open_browser(server)
    browser.open("/sign-in")
    shown = browser.page.locator(".brand")
    expect(shown).to_have_text(brand.get("BRAND_NAME", "Vestibule"))
    for scheme in ("light", "dark"):
        browser.page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light"
        )
        assert browser.axe_violations() == []
    browser.page.set_viewport_size({"width": 360, "height": 800})
    assert browser.overflow() <= 0

#!/usr/bin/env python3
"""The browser under test records each kind of problem of a page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.browser import Browser

URL = "http://127.0.0.1:9"
POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'"
GOOD = '<!doctype html><html lang="en"><title>A</title><main><h1>A</h1>'

Show = Callable[[str], Browser]


@pytest.fixture
def show(chromium: Chromium) -> Show:
    """Return a function that opens a page with this content."""

    def open_page(body: str) -> Browser:
        """Serve the content as the response to each request."""
        browser = Browser(chromium, URL, viewport={"width": 360, "height": 9})
        browser.context.route(
            f"{URL}/**",
            lambda route: route.fulfill(
                body=body,
                content_type="text/html",
                headers={"Content-Security-Policy": POLICY},
            ),
        )
        browser.open("/")
        return browser

    return open_page


def test_good_page_has_no_problem(show: Show) -> None:
    """The other tests add a problem to this page."""
    browser = show(GOOD)
    assert browser.axe_violations() == []
    assert browser.overflow() == 0
    browser.expect_text("A")
    browser.close()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<script>console.error('ouch')</script>", "console: ouch"),
        ("<script>console.warn('ouch')</script>", "console: ouch"),
        ("<script>nothing()</script>", "script: nothing is not defined"),
        ("<p style='color: red'>", "Content Security Policy"),
        ("<img src='//elsewhere.example/a.png' alt=''>", "another host"),
        ("<img src='/a.png' alt=''>", "Content Security Policy"),
    ],
)
def test_problem_fails_the_test_at_close(
    show: Show, body: str, problem: str
) -> None:
    """Closing the browser raises an error that names the problem."""
    browser = show(GOOD + body)
    browser.page.wait_for_load_state("networkidle")
    with pytest.raises(AssertionError, match=problem):
        browser.close()


def test_inaccessible_and_wide_page_is_detected(show: Show) -> None:
    """A field without a label and a line that is too wide are found."""
    browser = show(f"{GOOD}<input><pre>{'wide ' * 99}</pre>")
    (found,) = browser.axe_violations()
    assert found.startswith("label: <input>")
    assert browser.axe_violations("color-contrast") == []
    assert browser.axe_violations("label", "color-contrast") == [found]
    assert browser.overflow() > 0
    browser.close()


def test_renewed_browser_is_like_a_new_one(show: Show) -> None:
    """It has the screen of its options, and no cookies and no pages."""
    browser = show(GOOD)
    browser.context.add_cookies([{"name": "a", "value": "b", "url": URL}])
    browser.page.evaluate("localStorage.setItem('a', 'b')")
    browser.page.set_viewport_size({"width": 800, "height": 600})
    browser.page.emulate_media(color_scheme="dark")
    browser.context.new_page()
    browser.renew()
    assert browser.responses == []
    assert browser.context.cookies() == []
    assert browser.context.pages == [browser.page]
    browser.open("/")
    assert browser.page.viewport_size == {"width": 360, "height": 9}
    assert browser.page.evaluate("localStorage.length") == 0
    is_dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    assert browser.page.evaluate(is_dark) is False
    browser.close()


def test_problem_fails_the_test_at_renewal(show: Show) -> None:
    """Renewing the browser raises the error, and only once."""
    browser = show(f"{GOOD}<script>console.error('ouch')</script>")
    with pytest.raises(AssertionError, match="console: ouch"):
        browser.renew()
    browser.renew()
    browser.close()

#!/usr/bin/env python3
"""What watches the pages sees a page's faults, each of them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor

URL = "http://127.0.0.1:9"
POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'"
GOOD = '<!doctype html><html lang="en"><title>A</title><main><h1>A</h1>'

Show = Callable[[str], Visitor]


@pytest.fixture
def show(chromium: Browser) -> Show:
    """Return a function that opens a page of this content."""

    def open_page(body: str) -> Visitor:
        """Answer each request to the server by the content."""
        visitor = Visitor(chromium, URL, viewport={"width": 360, "height": 9})
        visitor.context.route(
            f"{URL}/**",
            lambda route: route.fulfill(
                body=body,
                content_type="text/html",
                headers={"Content-Security-Policy": POLICY},
            ),
        )
        visitor.open("/")
        return visitor

    return open_page


def test_a_good_page_has_no_fault(show: Show) -> None:
    """What the others are compared with."""
    visitor = show(GOOD)
    assert visitor.obstacles() == []
    assert visitor.overflow() == 0
    visitor.sees("A")
    visitor.close()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<script>console.error('ouch')</script>", "console: ouch"),
        ("<script>console.warn('ouch')</script>", "console: ouch"),
        ("<script>nothing()</script>", "script: nothing is not defined"),
        ("<p style='color: red'>", "Content Security Policy"),
        ("<img src='//elsewhere.example/a.png' alt=''>", "another host"),
        ("<img src='/a.png' alt=''>", "Content Security Policy"),
    ],
)
def test_a_fault_is_seen(show: Show, body: str, fault: str) -> None:
    """The test that opens such a page fails when its browser closes."""
    visitor = show(GOOD + body)
    visitor.page.wait_for_load_state("networkidle")
    with pytest.raises(AssertionError, match=fault):
        visitor.close()


def test_an_obstacle_is_seen(show: Show) -> None:
    """So is what does not fit on the screen."""
    visitor = show(f"{GOOD}<input><pre>{'wide ' * 99}</pre>")
    (found,) = visitor.obstacles()
    assert found.startswith("label: <input>")
    assert visitor.obstacles("color-contrast") == []
    assert visitor.obstacles("label", "color-contrast") == [found]
    assert visitor.overflow() > 0
    visitor.close()

#!/usr/bin/env python3
"""Every page of every route is accessible, small and used by keyboard."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Response

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.every_page import (
    NEEDS_SCRIPT,
    NO_PAGE,
    PAGES,
    Site,
    page_routes,
)
from tests.browser.test_scenes import (
    check_accessible,
    check_french,
    check_layout,
)
from tests.browser.test_weight import (
    MAX_PAGE_BYTES,
    MAX_REQUESTS_BEFORE_PAINT,
    blocking,
)

#: The screen of a laptop, and the part of it that 200 % leave.
LAPTOP, ZOOMED = (1280, 800), (640, 400)
#: Rows of a list on a laptop without scrolling.
MIN_ROWS_ON_LAPTOP = 15
#: Pixels above the first row of a list on a phone.
MAX_FIRST_ROW_TOP = 400
LISTS = (
    "/admin",
    "/admin?q=a&role=member",
    "/admin/sessions",
    "/admin/events",
    "/admin/invitations",
    "/admin/mails",
)
#: What Tab stops at: a group of radio buttons once, hidden things never.
_STOPS = """() => [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']"
)].filter((one) => one.checkVisibility({visibilityProperty: true})
    && !one.disabled && one.type !== "hidden" && one.tabIndex >= 0
).map((one, number) => one.dataset.stop = String(number))"""
_FOCUSED = """() => {
    const one = document.activeElement;
    const style = getComputedStyle(one);
    const isShown = style.outlineStyle !== "none"
        && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
    return [one.dataset.stop || "", isShown];
}"""
_ROWS = """(all) => all.map((one) => one.getBoundingClientRect())
    .map((box) => [box.top + scrollY, box.bottom + scrollY])"""

each_page = pytest.mark.parametrize("name", PAGES)


def opened(
    open_browser_at: OpenBrowser, site: Site, name: str, **more: object
) -> Browser:
    """Return a browser that has opened a page."""
    browser = open_browser_at(site.server.url, **more)
    PAGES[name](browser, site)
    route = re.sub("<.*?>", "[^/]+", name.split()[0])
    assert re.fullmatch(route, urlsplit(browser.page.url).path)
    return browser


def resize(browser: Browser, size: tuple[int, int]) -> None:
    """Give the page a screen of this width and height."""
    width, height = size
    browser.page.set_viewport_size({"width": width, "height": height})


def test_every_route_has_a_page_or_a_reason() -> None:
    """A new page is tested, and no entry is left over."""
    tested = {name.split()[0] for name in PAGES}
    assert tested | set(NO_PAGE) == page_routes()
    assert not tested & set(NO_PAGE)


@each_page
def test_page_is_accessible_small_and_used_by_keyboard(
    open_browser_at: OpenBrowser, site: Site, name: str
) -> None:
    """In light, and in dark at 200 %; Tab reaches everything, visibly."""
    browser = opened(open_browser_at, site, name)
    weight = sum(
        sizes["responseBodySize"] + sizes["responseHeadersSize"]
        for sizes in (
            response.request.sizes()
            for response in _responses_of_page(browser)
        )
    )
    assert weight < MAX_PAGE_BYTES, weight
    assert blocking(browser) <= MAX_REQUESTS_BEFORE_PAINT - 1
    assert browser.page.locator("html").get_attribute("lang") == "en"
    assert browser.page.locator("h1").count() == 1
    assert browser.axe_violations() == []
    check_layout(browser)
    browser.page.emulate_media(color_scheme="dark")
    resize(browser, ZOOMED)
    assert browser.axe_violations() == []
    _check_keyboard(browser)


@each_page
def test_page_is_french_and_works_without_scripts(
    open_browser_at: OpenBrowser, site: Site, name: str
) -> None:
    """No English text is left, the French ones fit, forms can be sent.

    Only passkeys need a script, and their pages say so.
    """
    browser = opened(
        open_browser_at, site, name, locale="fr-FR", java_script_enabled=False
    )
    assert browser.page.locator("h1").count() == 1
    check_french(browser)
    # What only a script shows, and names for password managers.
    assert browser.page.locator("[hidden]:visible").count() == 0
    # The zone of the browser is known to scripts alone.
    for form in browser.page.locator("main form:not(.zone)").all():
        if name in NEEDS_SCRIPT:
            assert browser.page.locator("main noscript").count() == 1
            continue
        assert form.locator("button:visible, summary").count() > 0


@pytest.mark.torture
@each_page
def test_page_is_accessible_in_french_with_scripts(
    open_browser_at: OpenBrowser, site: Site, name: str
) -> None:
    """The same markup as in English, with the longer texts."""
    browser = opened(open_browser_at, site, name, locale="fr-FR")
    check_accessible(browser)
    check_french(browser)


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_list_begins_high_on_a_phone_and_is_dense_on_a_laptop(
    open_browser_at: OpenBrowser, site: Site, locale: str
) -> None:
    """In both languages, with filters set too."""
    browser = open_browser_at(site.server.url, locale=locale)
    PAGES["/admin"](browser, site)
    found = {}
    for path in LISTS:
        browser.open(path)
        resize(browser, (360, 740))
        rows = browser.page.locator("main .dense tbody tr")
        assert rows.count() > MIN_ROWS_ON_LAPTOP, path
        top = rows.evaluate_all(_ROWS)[0][0]
        resize(browser, LAPTOP)
        shown = [end for _, end in rows.evaluate_all(_ROWS) if end <= 800]
        found[path] = round(top), len(shown)
    print(found)
    for path, (top, number) in found.items():
        assert top < MAX_FIRST_ROW_TOP, (path, found)
        assert number >= MIN_ROWS_ON_LAPTOP, (path, found)


def _responses_of_page(browser: Browser) -> list[Response]:
    """Return the response with the open page, and those of its files."""
    first = max(
        number
        for number, response in enumerate(browser.responses)
        if response.request.is_navigation_request()
    )
    return browser.responses[first:]


def _check_keyboard(browser: Browser) -> None:
    """Check that Tab stops at each control, and that it can be seen."""
    resize(browser, LAPTOP)
    stops = set(browser.page.evaluate(_STOPS))
    browser.page.evaluate("document.activeElement.blur()")
    reached, hidden = set(), set()
    for _ in range(len(stops) + 3):
        browser.page.keyboard.press("Tab")
        stop, is_shown = browser.page.evaluate(_FOCUSED)
        reached.add(stop)
        if stop and not is_shown:
            hidden.add(stop)
    assert stops - reached == set()
    assert hidden == set()

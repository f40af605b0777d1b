#!/usr/bin/env python3
"""Lists, exports and statistics of the admin pages, and who may see them."""

import re
from functools import partial

import pytest
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.populated_server import UNKNOWN_WORD, PopulatedServer
from tests.browser.scenes import add_session
from vestibule.web.admin.lists import PAGE_SIZES

ROWS = "main .dense tbody tr"


@pytest.fixture
def browser(populated: PopulatedServer, open_browser: OpenBrowser) -> Browser:
    """Return the browser of the only admin, without scripts.

    The scripts do not change links or searches.
    """
    browser = open_browser(populated.server, java_script_enabled=False)
    add_session(browser, populated.admin)
    return browser


def found(browser: Browser) -> list[str]:
    """Return the emails in the list of users."""
    return browser.page.locator(f"{ROWS} .main a").all_inner_texts()


def open_filters(browser: Browser) -> None:
    """Unfold the filters of a list."""
    browser.page.locator(".filters > summary").click()


@pytest.mark.parametrize(
    ("path", "rows", "attribute"),
    [
        ("/admin?role=member", ".main a", "href"),
        ("/admin/sessions?user={id}", "input", "value"),
        ("/admin/events?user={id}", "time", "datetime"),
    ],
    ids=["users", "sessions", "events"],
)
def test_list_is_paged(
    browser: Browser,
    populated: PopulatedServer,
    path: str,
    rows: str,
    attribute: str,
) -> None:
    """Each row is on one page, in both directions, and the filter stays."""

    def shown() -> list[str | None]:
        """Return the attribute that identifies each row of the open page."""
        return [
            row.get_attribute(attribute)
            for row in browser.page.locator(f"{ROWS} {rows}").all()
        ]

    path = path.format(id=populated.bob.id)
    name, value = path.partition("?")[2].split("=")
    browser.open(path)
    first = shown()
    assert len(set(first)) == PAGE_SIZES[0]
    expect(browser.page.locator(".pager .button")).to_have_count(1)
    browser.click_link("Next page")
    back = browser.page.get_by_role("link", name="First page")
    expect(back).to_be_visible()
    expect(browser.page.locator(f"[name='{name}']")).to_have_value(value)
    second = shown()
    assert second and not set(first) & set(second)
    browser.page.go_back()
    expect(back).to_have_count(0)
    assert shown() == first
    browser.page.go_forward()
    back.click()
    expect(back).to_have_count(0)
    assert shown() == first


def test_users_are_searched_and_filtered(
    browser: Browser, populated: PopulatedServer
) -> None:
    """The form keeps the search text and the chosen filters."""
    browser.open("/admin")
    browser.fill(q="BUILD")
    browser.click_button("Search")
    expect(browser.page.locator("input[name='q']")).to_have_value("BUILD")
    assert found(browser) == [populated.bob.email]
    for name, value, user in (
        ("disabled", "yes", populated.disabled_user),
        ("role", "admin", populated.admin),
        ("signed_in", "yes", populated.bob),
    ):
        browser.open("/admin")
        open_filters(browser)
        browser.page.locator(f"select[name='{name}']").select_option(value)
        browser.click_button("Search")
        browser.page.wait_for_url(f"**{name}={value}*")
        expect(browser.page.locator(f"[name='{name}']")).to_have_value(value)
        assert user.email in found(browser)
        assert len(found(browser)) == 1
    browser.fill(q=UNKNOWN_WORD)
    browser.click_button("Search")
    browser.expect_text(" match.")
    expect(browser.page.locator(ROWS)).to_have_count(0)


def test_statistics_of_each_period(browser: Browser) -> None:
    """Without scripts too, the table adds up to the total of the chart."""
    browser.open("/admin/figures")
    for name, slots in (
        ("Last week", 28),
        ("Last month", 30),
        ("Last day", 24),
    ):
        browser.click_link(name)
        chosen = browser.page.locator(".periods [aria-current]")
        expect(chosen).to_have_text(name)
        logins = browser.page.locator("section[aria-labelledby='logins']")
        total = logins.locator("p").first.inner_text()
        browser.click_link("Show as a table")
        expect(chosen).to_have_text(name)
        expect(logins).to_have_count(0)
        cells = browser.page.locator("tbody td:nth-of-type(1)")
        values = [
            int(cell.replace(",", "")) for cell in cells.all_inner_texts()
        ]
        assert len(values) == slots
        assert re.match(rf"Total {sum(values):,}( |$)", total)
        browser.click_link("Show as charts")
        expect(chosen).to_have_text(name)


def test_value_of_a_slot_is_shown_and_leads_to_its_events(
    populated: PopulatedServer, open_browser: OpenBrowser
) -> None:
    """By pointer, keyboard and touch, whose second tap leads there."""
    browser = open_browser(populated.server, has_touch=True)
    add_session(browser, populated.admin)
    browser.open("/admin/figures?period=month")
    chart = browser.page.locator("section[aria-labelledby='logins']")
    value, slots = chart.locator("[data-value]"), chart.locator(".slot")
    expect(slots).to_have_count(30)
    slot = chart.locator("a.slot").last
    label = str(slot.get_attribute("aria-label"))
    for show in (slot.hover, slot.focus, slot.tap):
        slots.first.dispatch_event("pointerenter")
        expect(value).not_to_have_text(label)
        show()
        expect(value).to_have_text(label)
    browser.page.keyboard.press("ArrowLeft")
    expect(value).not_to_have_text(label)
    browser.page.keyboard.press("ArrowRight")
    expect(slot).to_be_focused()
    for follow in (slot.tap, slot.click, partial(slot.press, "Enter")):
        browser.open("/admin/figures?period=month")
        slot.tap()
        expect(value).to_have_text(label)
        follow()
        browser.expect_path("/admin/events")
        rows = browser.page.locator("main .dense tbody tr")
        expect(rows.first).to_be_visible()

#!/usr/bin/env python3
"""Lists, exports and statistics of the admin pages, and who may see them."""

import pytest
from playwright.sync_api import expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser
from tests.browser.populated_server import UNKNOWN_WORD, PopulatedServer
from tests.browser.scenes import add_session
from vestibule.web.admin.lists import PAGE_ROWS

ROWS = "main .rows > li"


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
    return browser.page.locator(f"{ROWS} .title a").all_inner_texts()


@pytest.mark.parametrize(
    ("path", "rows", "attribute"),
    [
        ("/admin?role=member", ".title a", "href"),
        ("/admin/sessions?user={id}", "a.danger", "href"),
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
    assert len(set(first)) == PAGE_ROWS
    expect(browser.page.locator(".pager a")).to_have_count(1)
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
        browser.page.locator(f"select[name='{name}']").select_option(value)
        browser.click_button("Search")
        browser.page.wait_for_url(f"**{name}={value}*")
        expect(browser.page.locator(f"[name='{name}']")).to_have_value(value)
        assert user.email in found(browser)
        assert len(found(browser)) == 1
    browser.fill(q=UNKNOWN_WORD)
    browser.click_button("Search")
    browser.expect_text("No results.")
    expect(browser.page.locator(ROWS)).to_have_count(0)


def test_statistics_of_each_period(browser: Browser) -> None:
    """The table of each chart adds up to the total that is shown."""
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
        table = logins.locator("table")
        expect(table).to_be_hidden()
        logins.locator("summary").click()
        expect(table).to_be_visible()
        cells = logins.locator("td").all_inner_texts()
        assert len(cells) == slots == logins.locator("rect").count()
        total = sum(int(cell.replace(",", "")) for cell in cells)
        shown = f"Total: {total:,}."
        expect(logins.locator("p").first).to_contain_text(shown)

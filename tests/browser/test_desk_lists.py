#!/usr/bin/env python3
"""The lists, files and figures of the desk, and whom they are shown."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.admin_urls import admin_urls
from tests.app.api.house import built
from tests.browser.conftest import Visit
from tests.browser.scenes import enter
from tests.browser.town import NOBODY, Town
from tests.browser.visitor import Visitor
from vestibule.api import app as app_module
from vestibule.audit.export import FIELDS
from vestibule.core import clock
from vestibule.web.admin.lists import PAGE_ROWS
from vestibule.web.admin.user_actions import USER_ACTIONS

ROWS = "main .rows > li"


@pytest.fixture
def visitor(town: Town, visit: Visit) -> Visitor:
    """Return the browser of the town's admin, without scripts.

    Ours leave links and searches alone.
    """
    visitor = visit(town.server, java_script_enabled=False)
    enter(visitor, town.chief)
    return visitor


def found(visitor: Visitor) -> list[str]:
    """Return the emails that the list of users has."""
    return visitor.page.locator(f"{ROWS} .title a").all_inner_texts()


@pytest.mark.parametrize(
    ("path", "rows", "attribute"),
    [
        ("/admin?role=member", ".title a", "href"),
        ("/admin/sessions?user={id}", "a.danger", "href"),
        ("/admin/events?user={id}", "time", "datetime"),
    ],
    ids=["users", "sessions", "events"],
)
def test_a_list_is_leafed_through(
    visitor: Visitor, town: Town, path: str, rows: str, attribute: str
) -> None:
    """On and back: each row is on one page, and the filter is kept."""

    def shown() -> list[str | None]:
        """Return what tells the rows of the open page apart."""
        return [
            row.get_attribute(attribute)
            for row in visitor.page.locator(f"{ROWS} {rows}").all()
        ]

    path = path.format(id=town.bob.id)
    name, value = path.partition("?")[2].split("=")
    visitor.open(path)
    first = shown()
    assert len(set(first)) == PAGE_ROWS
    expect(visitor.page.locator(".pager a")).to_have_count(1)
    visitor.follow("Next page")
    back = visitor.page.get_by_role("link", name="First page")
    expect(back).to_be_visible()
    expect(visitor.page.locator(f"[name='{name}']")).to_have_value(value)
    second = shown()
    assert second and not set(first) & set(second)
    visitor.page.go_back()
    expect(back).to_have_count(0)
    assert shown() == first
    visitor.page.go_forward()
    back.click()
    expect(back).to_have_count(0)
    assert shown() == first


def test_users_are_searched_and_filtered(visitor: Visitor, town: Town) -> None:
    """By what is typed and chosen, which the form goes on showing."""
    visitor.open("/admin")
    visitor.fill(q="BUILD")
    visitor.press("Search")
    expect(visitor.page.locator("input[name='q']")).to_have_value("BUILD")
    assert found(visitor) == [town.bob.email]
    for name, value, user in (
        ("disabled", "yes", town.dora),
        ("role", "admin", town.chief),
        ("signed_in", "yes", town.bob),
    ):
        visitor.open("/admin")
        visitor.page.locator(f"select[name='{name}']").select_option(value)
        visitor.press("Search")
        visitor.page.wait_for_url(f"**{name}={value}*")
        expect(visitor.page.locator(f"[name='{name}']")).to_have_value(value)
        assert user.email in found(visitor)
        assert len(found(visitor)) == 1
    visitor.fill(q=NOBODY)
    visitor.press("Search")
    visitor.sees("No results.")
    expect(visitor.page.locator(ROWS)).to_have_count(0)


def test_sessions_and_events_are_filtered(
    visitor: Visitor, town: Town
) -> None:
    """By person, device, address, kind and time."""
    visitor.open("/admin/sessions")
    visitor.fill(
        user=str(town.bob.email), device="android", network="192.0.2.1"
    )
    visitor.press("Search")
    expect(visitor.page.locator(ROWS)).to_have_count(13)
    visitor.fill(device="iPhone")
    visitor.press("Search")
    visitor.sees("No results.")
    visitor.fill(user="", device="", network="nowhere")
    visitor.press("Search")
    visitor.sees("This value is not valid.")
    visitor.open("/admin/events")
    visitor.page.locator("[name='kind']").select_option("password_reset")
    since = clock.now() - timedelta(hours=2)
    visitor.fill(
        user=str(town.bob.email), since=since.strftime("%Y-%m-%dT%H:%M")
    )
    visitor.press("Search")
    expect(visitor.page.locator(ROWS)).to_have_count(1)
    expect(visitor.page.locator("[name='since']")).to_have_value(
        since.strftime("%Y-%m-%dT%H:%M")
    )
    visitor.fill(until=since.strftime("%Y-%m-%dT%H:%M"))
    visitor.press("Search")
    visitor.sees("No results.")


def test_events_are_taken_home(visitor: Visitor, town: Town) -> None:
    """As a table and as lines, with what the filter leaves."""
    files = {}
    visitor.open(f"/admin/events?user={town.bob.id}&kind=login")
    for name in ("CSV", "JSON"):
        with visitor.page.expect_download() as caught:
            visitor.follow(name)
        ending = {"CSV": "csv", "JSON": "jsonl"}[name]
        assert re.fullmatch(
            rf"events-\d{{4}}-\d\d-\d\d\.{ending}",
            caught.value.suggested_filename,
        )
        files[name] = Path(caught.value.path()).read_text().splitlines()
    rows, lines = files["CSV"], files["JSON"]
    assert rows[0] == ",".join(FIELDS)
    first = json.loads(lines[0])
    assert tuple(first) == FIELDS
    assert first["kind"] == "login" and first["user_id"] == town.bob.id
    assert rows[1].startswith(f"{first['time']},login,{town.bob.id},,")
    assert len(rows) - 1 == len(lines) == 11


def test_figures_of_each_period(visitor: Visitor) -> None:
    """Each with the table behind it, which adds up to what is said."""
    visitor.open("/admin/figures")
    for name, slots in (
        ("Last week", 28),
        ("Last month", 30),
        ("Last day", 24),
    ):
        visitor.follow(name)
        chosen = visitor.page.locator(".periods [aria-current]")
        expect(chosen).to_have_text(name)
        logins = visitor.page.locator("section[aria-labelledby='logins']")
        table = logins.locator("table")
        expect(table).to_be_hidden()
        logins.locator("summary").click()
        expect(table).to_be_visible()
        cells = logins.locator("td").all_inner_texts()
        assert len(cells) == slots == logins.locator("rect").count()
        total = sum(int(cell.replace(",", "")) for cell in cells)
        said = f"Total: {total:,}."
        expect(logins.locator("p").first).to_contain_text(said)


def test_a_member_learns_nothing(
    town: Town, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address that the application has is one page, and says no."""
    monkeypatch.setenv("WEB_PAGES", "on")
    monkeypatch.setenv("SESSION_NAME", "any")
    routes = built(app_module, "session_db_auth").app.url_map
    visitor = visit(town.server)
    enter(visitor, town.newcomer)
    visitor.open("/admin/nowhere", 403)
    nothing = visitor.page.content()
    assert "/admin" not in nothing
    paths = list(
        admin_urls(
            routes, "GET", user_id=[town.bob.id], action=list(USER_ACTIONS)
        )
    )
    assert len(paths) > len(USER_ACTIONS)
    for path in paths:
        visitor.open(path, 403)
        assert visitor.page.content() == nothing, path

#!/usr/bin/env python3
"""The size of an admin list with all its files."""

from tests.app.api.conftest import Build
from tests.app.api.service import stored_user
from tests.app.web.browser import Page, signed_in

#: Bytes of a page with its style sheets, script and logo.
MAX_PAGE_BYTES = 60_000


def test_full_admin_list_is_small(build: Build) -> None:
    """25 users with long names, a filter and a zone."""
    service = build("session_db_auth", WEB_PAGES="on")
    for number in range(30):
        user = stored_user(email=f"margaret.andersson.{number}@example.com")
        user.first_name, user.last_name = "Margaret", "Andersson"
        user.save()
    browser = signed_in(service, stored_user("admin"))
    answer = browser.get("/admin?q=andersson&role=member&sort=-created")
    files = {
        str(given.get("href") or given.get("src"))
        for tag, given in Page(answer).elements
        if tag in ("link", "script", "img")
    }
    assert len(files) == 4
    weight = len(answer.data) + sum(
        len(browser.get(path).data) for path in files
    )
    assert answer.text.count('name="id"') == 25
    assert weight < MAX_PAGE_BYTES, weight

#!/usr/bin/env python3
"""The list of the active sessions of all users, and its orders."""

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import stored_user
from tests.app.web.browser import Page, signed_in
from vestibule.db import keyset
from vestibule.web.admin import lists


def test_sessions_are_sorted_and_paged_in_both_directions(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads sort, Previous leads back, and a list too long says why."""
    monkeypatch.setattr(lists, "PAGE_SIZES", (2, 50))
    service = build("session_db_auth", WEB_PAGES="on")
    admin = stored_user("admin")
    for _ in range(3):
        browser = signed_in(service, admin)

    def heads(path: str) -> list[str]:
        """Return the links of the column heads, and of the pager."""
        return [
            str(given["href"])
            for tag, given in Page(browser.get(path)).elements
            if tag == "a"
            and (
                "sort=" in str(given.get("href")) or given.get("rel") == "prev"
            )
        ]

    for sort in ("user", "network", "created", "-last_used"):
        path = f"/admin/sessions?sort={sort}"
        assert path in heads("/admin/sessions")
        first = browser.get(path)
        assert first.text.count('aria-sort="') == 1
        following = _link(first, "next")
        back = browser.get(_link(browser.get(following), "prev"))
        assert back.text.count('name="session"') == 2
        assert _handles(back) == _handles(first)
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", 2)
    answer = browser.get("/admin/sessions?sort=-last_used")
    assert answer.status_code == 200
    assert "More than 2 sessions match." in answer.text
    assert 'aria-sort="descending"' in answer.text
    assert answer.text.count('name="session"') == 2
    assert browser.get("/admin/sessions?sort=device").status_code == 400


def _link(answer: TestResponse, rel: str) -> str:
    """Return the only link of a relation."""
    (found,) = [
        str(given["href"])
        for tag, given in Page(answer).elements
        if tag == "a" and given.get("rel") == rel
    ]
    return found


def _handles(answer: TestResponse) -> list[str | None]:
    """Return the handles of the sessions on a page."""
    return [
        given["value"]
        for _, given in Page(answer).elements
        if given.get("name") == "session"
    ]

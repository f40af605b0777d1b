#!/usr/bin/env python3
"""The order and the page size of the admin lists outlive a search."""

import pytest

from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Page, signed_in
from tests.app.web.test_admin_selection import service

__all__ = ["service"]


@pytest.mark.parametrize(
    ("path", "heads", "name"),
    [
        ("/admin", ("-email", "created", "disabled"), "q"),
        ("/admin/sessions", ("-user", "-network", "-created"), "user"),
        ("/admin/events", ("-kind", "-user", "-time"), "user"),
        ("/admin/mails", ("-to", "attempts", "-created"), "user"),
    ],
)
def test_search_keeps_order_and_size(
    service: Service, path: str, heads: tuple[str, ...], name: str
) -> None:
    """Also an order that a column head set; so does "Clear filters"."""
    browser = signed_in(service, stored_user("admin"))
    for sort in heads:
        answer = browser.get(f"{path}?sort={sort}&rows=50&{name}=a@b.example")
        page = Page(answer)
        assert page.fields()["rows"]["value"] == "50"
        chosen = [
            given["value"]
            for tag, given in page.elements
            if tag == "option" and "selected" in given
        ]
        is_default = sort in ("-created", "-time")
        assert sort in chosen or (is_default and "" in chosen), sort
        links = [given.get("href") for _, given in page.elements]
        assert f"{path}?sort={sort}&rows=50" in links
    page = Page(browser.get(path))
    assert "rows" not in page.fields()
    assert "reversed" not in page.text

#!/usr/bin/env python3
"""Which requests load a page, and which clients prefer HTML."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from vestibule.core.redirects import (
    MAX_ACCEPT_LENGTH,
    is_page_load,
    prefers_page,
)

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
    "image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
RANGES = st.sampled_from(
    [
        "text/html",
        "TEXT/HTML",
        "application/json",
        "application/*",
        "text/*",
        "*/*",
        "text/html;level=1",
        "image/png",
        "x",
        "",
    ]
)
WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.5", "; q=0.50", ";q=1", ";q=1.0"])
HEADERS = st.lists(st.tuples(RANGES, WEIGHTS).map("".join), max_size=5).map(
    ", ".join
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (FIREFOX, True),
        (CHROME, True),
        ("text/html", True),
        ("text/*", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("text/html, application/json;q=0.9", True),
        ("text/html;q=0.9, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=x", False),
        ("text/html;q=2", False),
        ("text/html;q=nan", False),
        ("text/html;level=1", False),
        ("*/*, application/json;q=0", True),
        (FIREFOX.ljust(MAX_ACCEPT_LENGTH + 1), False),
    ],
)
def test_html_is_preferred_by_browsers(accept: str, expected: bool) -> None:
    """A program that accepts anything gets JSON."""
    assert prefers_page({"HTTP_ACCEPT": accept}) is expected


@given(HEADERS)
@settings(max_examples=200, deadline=None)
@example("text/html;q=0.5, */*;q=0.5")
def test_preference_is_that_of_werkzeug(accept: str) -> None:
    """Its negotiation takes the most specific range too."""
    known = parse_accept_header(accept, MIMEAccept)
    best = known.best_match(["application/json", "text/html"])
    assert prefers_page({"HTTP_ACCEPT": accept}) is (best == "text/html")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTP_SEC_FETCH_MODE": "navigate"}, True),
        ({"HTTP_SEC_FETCH_MODE": "cors", "HTTP_ACCEPT": FIREFOX}, False),
        ({"HTTP_SEC_FETCH_MODE": "navigate", "HTTP_UPGRADE": "x"}, False),
        ({"HTTP_ACCEPT": FIREFOX}, True),
        ({}, False),
    ],
)
def test_page_load_is_known_by_fetch_metadata(
    environ: dict[str, str], expected: bool
) -> None:
    """Browsers without it are known by what they accept."""
    assert is_page_load(environ) is expected

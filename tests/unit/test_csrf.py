#!/usr/bin/env python3
"""CSRF: the rule that refuses cross-site requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from vestibule.http.csrf import SAFE_METHODS, is_cross_site

NAMES = ("Origin", "Host", "Sec-Fetch-Site")
OWN = "https://app.example"
EVIL = "https://evil.example"


@pytest.mark.parametrize(
    ("site", "origin", "host", "refused"),
    [
        # Programs say nothing.
        (None, None, "app.example", False),
        (None, None, None, False),
        # What the browser says of itself counts first.
        ("same-origin", None, "app.example", False),
        ("same-origin", EVIL, "app.example", False),
        ("same-origin", OWN, "behind.proxy:5000", False),
        ("none", None, "app.example", False),
        ("cross-site", None, "app.example", True),
        ("cross-site", OWN, "app.example", True),
        # Another host of the site is another origin, if it tells which.
        ("same-site", "https://blog.app.example", "app.example", True),
        ("same-site", OWN, "app.example", False),
        ("same-site", None, "app.example", False),
        ("odd", EVIL, "app.example", True),
        # Older browsers send an origin alone.
        (None, OWN, "app.example", False),
        (None, "http://app.example", "app.example", False),
        (None, "https://APP.example", "app.EXAMPLE", False),
        (None, "https://app.example:443", "app.example", False),
        (None, "http://app.example:5000", "app.example:5000", False),
        (None, "http://[::1]:5000", "[::1]:5000", False),
        (None, EVIL, "app.example", True),
        (None, "http://app.example:5001", "app.example:5000", True),
        (None, "http://app.example", "app.example:5000", True),
        (None, "http://app.example.evil.example", "app.example", True),
        (None, "http://evil.example#app.example", "app.example", True),
        (None, "null", "app.example", True),
        (None, "", "app.example", True),
        (None, OWN, "", True),
        (None, OWN, None, True),
        (None, "file://app.example", "app.example", True),
        (None, "app.example", "app.example", True),
        (None, "http://app.example:99999", "app.example", True),
        (None, "http://[::1", "[::1", True),
        (None, "http://app.example:x", "app.example:x", True),
        (None, f"{OWN}, {EVIL}", "app.example", True),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "X"])
def test_each_combination_of_headers(
    method: str,
    site: str | None,
    origin: str | None,
    host: str | None,
    refused: bool,
) -> None:
    """For all methods that may change something."""
    headers = Headers()
    for name, value in (
        ("Sec-Fetch-Site", site),
        ("Origin", origin),
        ("Host", host),
    ):
        if value is not None:
            headers[name] = value
    assert is_cross_site(method, headers) is refused
    for safe in SAFE_METHODS:
        assert not is_cross_site(safe, headers)


@pytest.mark.parametrize(
    ("origin", "host", "by_tls", "refused"),
    [
        # A page that came without TLS may be anybody's on the way.
        ("http://app.example", "app.example", True, True),
        ("http://app.example:443", "app.example:443", True, True),
        (OWN, "app.example", True, False),
        # A proxy that is not trusted may have taken the TLS off.
        (OWN, "app.example", False, False),
        ("http://app.example", "app.example", False, False),
    ],
)
@pytest.mark.parametrize("site", [None, "same-site"])
def test_scheme_counts_under_tls(
    site: str | None, origin: str, host: str, by_tls: bool, refused: bool
) -> None:
    """A request over TLS comes from a page over TLS."""
    headers = Headers({"Origin": origin, "Host": host})
    if site is not None:
        headers["Sec-Fetch-Site"] = site
    assert is_cross_site("POST", headers, by_tls) is refused


@given(st.dictionaries(st.sampled_from(NAMES), st.text()), st.text())
def test_no_header_value_raises_an_error(
    headers: dict[str, str], method: str
) -> None:
    """Whatever a header holds is no error."""
    assert is_cross_site(method, headers) in (True, False)


@given(st.text(alphabet="htps:/.[]@#?%0123456789ab", max_size=30))
def test_incomplete_origins_raise_no_error(text: str) -> None:
    """Incomplete addresses, too."""
    for headers in (
        {"Origin": text, "Host": "a"},
        {"Origin": "http://a", "Host": text},
    ):
        assert is_cross_site("POST", headers) in (True, False)

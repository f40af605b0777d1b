#!/usr/bin/env python3
"""The session cookie: how it is read, set and cleared."""

import string
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_cookie
from werkzeug.wrappers import Response

from tests.fake_requests import FakeRequest
from vestibule.core.request_headers import Cookies, cookies_of
from vestibule.sessions import cookie

NAMES = st.text(string.ascii_letters + string.digits + "_-.", min_size=1)
#: What a browser sends as a value (RFC 6265, 4.1.1), without a quote.
VALUES = st.text(
    string.ascii_letters + string.digits + "!#$%&'()*+-./:<=>?@[]^_`{|}~"
)


@given(st.dictionaries(NAMES, VALUES))
def test_ordinary_cookies_are_read_as_by_werkzeug(
    jar: dict[str, str],
) -> None:
    """For what browsers send there is no difference."""
    header = "; ".join(f"{name}={value}" for name, value in jar.items())
    assert cookies_of(header) == parse_cookie(header).to_dict() == jar


@given(st.text())
def test_no_header_raises_an_error(header: str) -> None:
    """No text makes it fail; each value was in the header."""
    for name, value in cookies_of(header).items():
        assert value in header
        assert name in header


@given(st.lists(st.sampled_from(["a", "b", "=", ";", " ", '"', "1"])))
def test_headers_of_separators_are_read_fast(signs: list[str]) -> None:
    """Headers of nothing but separators are no trap."""
    header = "".join(signs)
    for name, value in cookies_of(header).items():
        assert ";" not in name + value
        assert "=" not in name


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        (";", {}),
        ("a", {}),
        ("a=", {"a": ""}),
        ("a=1", {"a": "1"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("  a=1 ;  b=2  ", {"a": "1", "b": "2"}),
        ("a=C is fun", {"a": "C is fun"}),
        ("a=1=2", {"a": "1=2"}),
        ('a="1"', {"a": "1"}),
        ('a=""', {"a": ""}),
        ('a="', {"a": '"'}),
        ('a="1', {"a": '"1'}),
        ("a=1; a=1", {"a": "1"}),
        ("a=1; a=2", {}),
        ("a=1; a=2; a=1; b=3", {"b": "3"}),
        ("A=1; a=2", {"A": "1", "a": "2"}),
    ],
)
def test_quotes_spaces_and_duplicate_names(
    header: str, expected: dict[str, str]
) -> None:
    """Blanks inside a value are kept, quotes around it not, and a name
    that comes with different values is no name.
    """
    assert cookies_of(header) == expected


@pytest.mark.parametrize(
    ("cookies", "header", "expected"),
    [
        ({}, None, None),
        ({"s": "1"}, None, "1"),
        ({}, "s=1", "1"),
        ({}, "s=C is fun", "C is fun"),
        ({"s": "1"}, "s=1", "1"),
        ({"s": "1"}, "s=1; s=1", "1"),
        ({"s": "1"}, "s=1; s=2", None),
        ({"s": "1"}, "xs=9; s=1", "1"),
        ({"x": "1"}, "x=1", None),
        ({"s": 5}, None, None),
        ({"s": 5}, "s=1", "1"),
        ({"s": "1"}, b"s=2; s=3", "1"),
        (Cookies(s="1"), "s=2; s=3", "1"),
        (Cookies(), "s=2", None),
    ],
)
def test_cookie_is_read_from_parsed_cookies_or_header(
    cookies: Any, header: Any, expected: str | None
) -> None:
    """The header counts where the parsed cookies are ambiguous."""
    headers = {} if header is None else {"Cookie": header}
    visit = FakeRequest(cookies=cookies, headers=headers)
    assert cookie.read(visit, "s") == expected


def test_cookie_is_read_from_partial_requests() -> None:
    """A request may have only cookies, only headers, or neither."""
    assert cookie.read(SimpleNamespace(cookies={"s": "1"}), "s") == "1"
    only_headers = SimpleNamespace(headers={"Cookie": "s=1"})
    assert cookie.read(only_headers, "s") == "1"
    assert cookie.read(SimpleNamespace(), "s") is None


@pytest.mark.parametrize("secure", [True, False])
def test_cookie_attributes_when_set_and_cleared(secure: bool) -> None:
    """Hidden from scripts and other sites; clearing ends it at once."""
    response = Response()
    cookie.set_on(response, "s", "secret", secure)
    cookie.clear_on(response, "s", secure)
    one, two = response.headers.getlist("Set-Cookie")
    flags = ["HttpOnly", "Path=/", "SameSite=Lax"]
    flags += ["Secure"] if secure else []
    assert sorted(one.split("; ")) == sorted([*flags, "s=secret"])
    assert two.startswith("s=; Expires=Thu, 01 Jan 1970")
    assert {*flags, "Max-Age=0"} < set(two.split("; "))


def test_domain_cookie_replaces_the_cookie_of_one_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two values of one name would count as none, so the old one goes."""
    monkeypatch.setenv("COOKIE_DOMAIN", "example.com")
    response = Response()
    cookie.set_on(response, "s", "secret", True)
    old, new = response.headers.getlist("Set-Cookie")
    assert "Domain" not in old
    assert old.startswith("s=; Expires=Thu, 01 Jan 1970")
    assert new.startswith("s=secret; Domain=example.com; Secure")
    response = Response()
    cookie.clear_on(response, "s", True)
    both = response.headers.getlist("Set-Cookie")
    assert ["Domain=example.com" in one for one in both] == [True, False]
    assert all("Max-Age=0" in one for one in both)


def test_local_cookie_has_a_path_and_no_domain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other host gets it, whatever `COOKIE_DOMAIN` says."""
    monkeypatch.setenv("COOKIE_DOMAIN", "example.com")
    response = Response()
    cookie.set_local(response, "n", "1", False, "/auth")
    cookie.clear_local(response, "n", False, "/auth")
    for sent in response.headers.getlist("Set-Cookie"):
        assert "Path=/auth" in sent.split("; ")
        assert "Domain" not in sent

#!/usr/bin/env python3
"""`Auth`: excluded paths, the header and the cookie of any request."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_requests import FakeRequest, with_authorization
from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms import MECHANISMS, mechanism_for
from vestibule.mechanisms.auth import Auth

EXCLUDED = ["/api/v1/status/", "/api/v1/unauthorized", "/api/v1/stat*"]
PATHS = st.lists(st.sampled_from(["/", "a", "ab", "*", "//", "s"]), max_size=5)


def _naive(path: str, excluded_paths: list[str]) -> bool:
    """Return what the two rules say, word by word."""

    def bare(text: str) -> str:
        """Return the path without the one slash at its end."""
        return text[:-1] if text.endswith("/") else text

    for excluded in excluded_paths:
        if excluded[-1:] == "*":
            if path[: len(excluded) - 1] == excluded[:-1]:
                return False
        elif bare(path) == bare(excluded):
            return False
    return True


@pytest.mark.parametrize(
    ("path", "excluded", "expected"),
    [
        (None, None, True),
        (None, EXCLUDED, True),
        ("/api/v1/status", None, True),
        ("/api/v1/status", [], True),
        ("/api/v1/status", ["/api/v1/status/"], False),
        ("/api/v1/status/", ["/api/v1/status/"], False),
        ("/api/v1/status/", ["/api/v1/status"], False),
        ("/api/v1/status", ["/api/v1/status"], False),
        ("/api/v1/statusx", ["/api/v1/status/"], True),
        ("/api/v1/status//", ["/api/v1/status/"], True),
        ("/api/v1/status/x", ["/api/v1/status/"], True),
        ("/api/v1/statu", ["/api/v1/status/"], True),
        ("/API/V1/STATUS", ["/api/v1/status/"], True),
        ("/api/v1/status", ["/api/v1/stat*"], False),
        ("/api/v1/stats", ["/api/v1/stat*"], False),
        ("/api/v1/stat", ["/api/v1/stat*"], False),
        ("/api/v1/sta", ["/api/v1/stat*"], True),
        ("/api/v1/users", ["/api/v1/stat*"], True),
        ("/api/v1/users", ["/api/v1/x/", "/api/v1/users/"], False),
        ("/anything", ["*"], False),
        ("/a*b", ["/a*b/"], False),
        ("/axb", ["/a*b"], True),
        ("", ["/"], False),
    ],
)
def test_excluded_paths_match_by_name_or_prefix(
    path: str | None, excluded: list[str] | None, expected: bool
) -> None:
    """A path is excluded by its name, or by a prefix with a star."""
    assert Auth().require_auth(path, excluded) is expected


@given(PATHS.map("".join), st.lists(PATHS.map("".join), max_size=4))
def test_exclusion_equals_a_naive_reference(
    path: str, excluded: list[str]
) -> None:
    """For every path the answer is that of a naive reference."""
    expected = _naive(path, excluded)
    assert Auth().require_auth(path, excluded) is expected


@given(st.text(), st.lists(st.text()))
def test_any_text_is_accepted_as_a_path(
    path: str, excluded: list[str]
) -> None:
    """No path and no exclusion raises an error or changes the result."""
    assert Auth().require_auth(path, excluded) is _naive(path, excluded)
    assert Auth().require_auth(path, [*excluded, path + "*"]) is False


def test_authorization_header_is_its_text_or_none() -> None:
    """It is the header's text, or nothing."""
    auth = Auth()
    assert auth.authorization_header() is None
    assert auth.authorization_header(None) is None
    assert auth.authorization_header(FakeRequest()) is None
    assert auth.authorization_header(with_authorization("Test")) == "Test"
    assert auth.authorization_header(with_authorization("")) == ""
    assert auth.authorization_header(with_authorization(5)) is None
    assert auth.authorization_header(SimpleNamespace(cookies={})) is None
    assert auth.authorization_header(MagicMock()) is None


def test_cookie_name_is_read_at_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The current value of `SESSION_NAME` names the cookie."""
    auth = Auth()
    visit = FakeRequest(cookies={"a": "1", "b": "2"})
    assert auth.session_cookie(visit) is None
    for name, value in [("a", "1"), ("b", "2"), ("c", None), ("", None)]:
        monkeypatch.setenv("SESSION_NAME", name)
        assert auth.session_cookie(visit) == value
        assert auth.session_cookie(None) is None
        assert auth.session_cookie() is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "None"),
        ("_my_session_id=Hello", "Hello"),
        ("_my_session_id=C is fun", "C is fun"),
        ("_my_session_id_fake=Hello", "None"),
        ("a=b; _my_session_id=Hello; c=d", "Hello"),
        ("_my_session_id=a; _my_session_id=b", "None"),
    ],
)
def test_mechanism_works_in_another_flask_application(
    monkeypatch: pytest.MonkeyPatch, header: str | None, expected: str
) -> None:
    """A view of another application reads the cookie with it."""
    monkeypatch.setenv("SESSION_NAME", "_my_session_id")
    app = Flask("another")

    @app.get("/")
    def view() -> str:
        """Answer with the cookie."""
        return f"{Auth().session_cookie(request)}"

    headers = {} if header is None else {"Cookie": header}
    answer = app.test_client(use_cookies=False).get("/", headers=headers)
    assert answer.text == expected


@pytest.mark.parametrize(
    "stand_in",
    [
        MagicMock(),
        SimpleNamespace(),
        SimpleNamespace(cookies=None),
        SimpleNamespace(headers={}),
        SimpleNamespace(cookies={"s": 5}),
        SimpleNamespace(headers={"Cookie": b"s=1"}),
        object(),
    ],
)
def test_value_that_is_no_string_counts_as_missing(
    monkeypatch: pytest.MonkeyPatch, stand_in: Any
) -> None:
    """A stand-in for a request may have anything there, or nothing."""
    monkeypatch.setenv("SESSION_NAME", "s")
    assert Auth().session_cookie(stand_in) is None
    assert Auth().authorization_header(stand_in) is None


def test_base_class_has_no_current_user() -> None:
    """The base of all mechanisms has no current user."""
    assert Auth().current_user() is None
    assert Auth().current_user(with_authorization("Basic YTpi")) is None


def test_each_auth_type_has_its_class() -> None:
    """`AUTH_TYPE` names a class; each is a kind of the one before."""
    assert mechanism_for(None) is None
    for name, mechanism in MECHANISMS.items():
        assert mechanism_for(name) is mechanism
    chain = ["session_db_auth", "session_exp_auth", "session_auth", "auth"]
    for name, parent in pairwise(chain):
        assert issubclass(MECHANISMS[name], MECHANISMS[parent])
    assert issubclass(MECHANISMS["basic_auth"], Auth)


@pytest.mark.parametrize(
    "unknown", ["", "session", "BASIC_AUTH", "auth ", "None"]
)
def test_unknown_auth_type_is_refused(unknown: str) -> None:
    """The error lists the known ones."""
    with pytest.raises(ConfigurationError, match="AUTH_TYPE") as refused:
        mechanism_for(unknown)
    for name in MECHANISMS:
        assert name in str(refused.value)

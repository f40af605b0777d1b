#!/usr/bin/env python3
"""`Auth`: excluded paths, the authorization header and the cookie."""

from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest

from api.v1.auth.auth import Auth
from tests.serving import COOKIE

EXCLUDED = ["/api/v1/status/", "/api/v1/unauthorized/"]


@pytest.mark.parametrize(
    ("path", "excluded", "required"),
    [
        (None, None, True),
        (None, [], True),
        (None, EXCLUDED, True),
        ("/api/v1/status/", None, True),
        ("/api/v1/status/", [], True),
        ("/api/v1/status/", EXCLUDED, False),
        ("/api/v1/status", EXCLUDED, False),
        ("/api/v1/unauthorized", EXCLUDED, False),
        ("/api/v1/users", EXCLUDED, True),
        ("/api/v1/users", [*EXCLUDED, "/api/v1/stats"], True),
        ("/api/v1/statusx", EXCLUDED, True),
        ("/api/v1/statu", EXCLUDED, True),
        ("/api/v1/status/x", EXCLUDED, True),
        ("/api/v1", EXCLUDED, True),
        ("/", EXCLUDED, True),
        ("", EXCLUDED, True),
        ("/api/v1/STATUS/", EXCLUDED, True),
        ("/api/v1/status", ["/api/v1/stat*"], False),
        ("/api/v1/status/", ["/api/v1/stat*"], False),
        ("/api/v1/stats", ["/api/v1/stat*"], False),
        ("/api/v1/stat", ["/api/v1/stat*"], False),
        ("/api/v1/sta", ["/api/v1/stat*"], True),
        ("/api/v1/users", ["/api/v1/stat*"], True),
        ("/x/api/v1/stats", ["/api/v1/stat*"], True),
        ("/api/v1/users", ["/api/v1/stat*", "/api/v1/users/"], False),
        ("/api/v1/users", ["/api/*/users/"], True),
        ("/api/v1/stats", ["/api/v1/stat?", "/api/v1/stat."], True),
        ("/api/v1/anything", ["*"], False),
    ],
)
def test_path_is_excluded_by_slash_or_trailing_star(
    path: str | None, excluded: list[str] | None, required: bool
) -> None:
    """Other patterns exclude nothing."""
    assert Auth().require_auth(path, excluded) is required


class GetOnly(NamedTuple):
    """A mapping that has only `get`."""

    values: dict[str, Any]

    def get(self, name: str) -> Any:
        """Return the value called `name`, or `None`."""
        return self.values.get(name)


@pytest.mark.parametrize(
    ("request_", "header"),
    [
        (None, None),
        (SimpleNamespace(headers={}), None),
        (SimpleNamespace(headers={"Authorization": "Test"}), "Test"),
        (SimpleNamespace(headers=GetOnly({"Authorization": "Test"})), "Test"),
        (SimpleNamespace(headers={"Authorization": 89}), None),
        (SimpleNamespace(cookies={"Authorization": "Test"}), None),
        (Mock(), None),
    ],
)
def test_authorization_header_is_read_with_get(
    request_: Any, header: str | None
) -> None:
    """A request object may lack headers."""
    assert Auth().authorization_header(request_) == header


def test_auth_without_request_returns_none() -> None:
    """The base class needs no request and knows no user."""
    auth = Auth()
    assert auth.authorization_header() is None
    assert auth.session_cookie() is None
    assert auth.current_user() is None
    assert auth.current_user(SimpleNamespace(headers={}, cookies={})) is None


@pytest.mark.parametrize(
    ("request_", "value"),
    [
        (None, None),
        (SimpleNamespace(cookies={}), None),
        (SimpleNamespace(cookies={COOKIE: "Hello"}), "Hello"),
        (SimpleNamespace(cookies=GetOnly({COOKIE: "Hello"})), "Hello"),
        (SimpleNamespace(cookies={COOKIE + "_fake": "Hello"}), None),
        (SimpleNamespace(cookies={COOKIE: 89}), None),
        (SimpleNamespace(headers={}), None),
        (SimpleNamespace(headers={"Cookie": f"{COOKIE}=Hello"}), "Hello"),
        (
            SimpleNamespace(
                cookies={},
                headers=GetOnly({"Cookie": f"a=b; {COOKIE}=C is fun; c=d"}),
            ),
            "C is fun",
        ),
        (SimpleNamespace(headers={"Cookie": f"{COOKIE}_fake=Hello"}), None),
        (SimpleNamespace(headers={"Cookie": 89}), None),
        (SimpleNamespace(), None),
        (Mock(), None),
    ],
)
def test_session_cookie_is_read_with_get(
    request_: Any, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that is no string counts as absent."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    assert Auth().session_cookie(request_) == value


def test_session_name_is_read_on_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One object follows changes of `SESSION_NAME`."""
    auth = Auth()
    request = SimpleNamespace(cookies={"one": "1", "two": "2"})
    assert auth.session_cookie(request) is None
    monkeypatch.setenv("SESSION_NAME", "one")
    assert auth.session_cookie(request) == "1"
    monkeypatch.setenv("SESSION_NAME", "two")
    assert auth.session_cookie(request) == "2"
    monkeypatch.delenv("SESSION_NAME")
    assert auth.session_cookie(request) is None

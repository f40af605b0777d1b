#!/usr/bin/env python3
"""`Auth`: which paths are guarded, and what a request is asked for."""

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
def test_require_auth(
    path: str | None, excluded: list[str] | None, required: bool
) -> None:
    """A path is excluded by slash tolerance and by a trailing `*` only."""
    assert Auth().require_auth(path, excluded) is required


class Got(NamedTuple):
    """A mapping of which only `get` is there."""

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
        (SimpleNamespace(headers=Got({"Authorization": "Test"})), "Test"),
        (SimpleNamespace(headers={"Authorization": 89}), None),
        (SimpleNamespace(cookies={"Authorization": "Test"}), None),
        (Mock(), None),
    ],
)
def test_authorization_header(request_: Any, header: str | None) -> None:
    """The header is read by `get`; a stand-in may lack all of it."""
    assert Auth().authorization_header(request_) == header


def test_missing_arguments() -> None:
    """The base asks for no request and knows nobody."""
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
        (SimpleNamespace(cookies=Got({COOKIE: "Hello"})), "Hello"),
        (SimpleNamespace(cookies={COOKIE + "_fake": "Hello"}), None),
        (SimpleNamespace(cookies={COOKIE: 89}), None),
        (SimpleNamespace(headers={}), None),
        (SimpleNamespace(headers={"Cookie": f"{COOKIE}=Hello"}), "Hello"),
        (
            SimpleNamespace(
                cookies={},
                headers=Got({"Cookie": f"a=b; {COOKIE}=C is fun; c=d"}),
            ),
            "C is fun",
        ),
        (SimpleNamespace(headers={"Cookie": f"{COOKIE}_fake=Hello"}), None),
        (SimpleNamespace(headers={"Cookie": 89}), None),
        (SimpleNamespace(), None),
        (Mock(), None),
    ],
)
def test_session_cookie(
    request_: Any, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cookie is read by `get`; what is no string counts as absent."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    assert Auth().session_cookie(request_) == value


def test_the_name_is_read_at_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One object follows `SESSION_NAME` as it changes."""
    auth = Auth()
    request = SimpleNamespace(cookies={"one": "1", "two": "2"})
    assert auth.session_cookie(request) is None
    monkeypatch.setenv("SESSION_NAME", "one")
    assert auth.session_cookie(request) == "1"
    monkeypatch.setenv("SESSION_NAME", "two")
    assert auth.session_cookie(request) == "2"
    monkeypatch.delenv("SESSION_NAME")
    assert auth.session_cookie(request) is None

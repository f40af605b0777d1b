#!/usr/bin/env python3
"""Minimal request objects with the attributes that mechanisms read."""

from dataclasses import dataclass, field
from typing import Any

from tests.serving import COOKIE


@dataclass
class FakeRequest:
    """A request that has a path, headers and cookies."""

    path: str = "/api/v1/users"
    headers: dict[str, Any] = field(default_factory=dict)
    cookies: dict[str, Any] = field(default_factory=dict)


def with_session(session_id: str | None) -> FakeRequest:
    """Return a request with `session_id` in the session cookie."""
    if session_id is None:
        return FakeRequest()
    return FakeRequest(cookies={COOKIE: session_id})


def with_authorization(value: Any) -> FakeRequest:
    """Return a request with this `Authorization` header."""
    return FakeRequest(headers={"Authorization": value})

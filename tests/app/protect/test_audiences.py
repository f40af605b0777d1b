#!/usr/bin/env python3
"""Identity tokens for one of several hosts, and why one is refused."""

from typing import Any

import pytest
import requests

from tests.app.protect.conftest import LiveServer
from tests.app.protect.fake_server import FakeServer
from tests.app.protect.test_identity import (
    AUDIENCE,
    BOB,
    OTHER,
    both_clocks,
    find_user,
    published,
    token,
)
from tests.clocks import SetClock
from vestibule.core.errors import InvalidValue
from vestibule.identity.header import HEADER
from vestibule.protect import identity
from vestibule.protect.async_backends import async_backend_for
from vestibule.protect.backends import SETTINGS, backend_for
from vestibule.protect.verify_response import Principal

__all__ = ["both_clocks", "find_user", "published"]


def test_application_of_several_hosts_accepts_each(
    open_backend: Any, published: FakeServer, both_clocks: SetClock
) -> None:
    """Another host stays refused, and so does a list in the token."""
    hosts = ("App.example", "wiki.example:8443")
    with open_backend(published.url, hosts, 30) as find_user:
        assert find_user(token()) == BOB
        assert find_user(token(aud="wiki.example:8443")) == BOB
        for wrong in ("other.example", [AUDIENCE], {"a": "b"}, None, ""):
            assert find_user(token(aud=wrong)) is None


@pytest.mark.parametrize("audience", ["", [], [""], [1], ["a.example", None]])
def test_audience_without_a_host_is_refused(audience: Any) -> None:
    """An empty list would refuse every token."""
    for make in (backend_for, async_backend_for):
        with pytest.raises(InvalidValue, match="audience"):
            make("http://127.0.0.1:1", audience, 1)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"private": OTHER}, "InvalidSignatureError"),
        ({"aud": "other.example"}, f"another host than {AUDIENCE}"),
        ({"iss": "another"}, "InvalidIssuerError"),
        ({"role": ...}, "MissingRequiredClaimError"),
        ({"email": 1}, "wrong type"),
        ({"iat": 1, "exp": 2}, "not valid now"),
    ],
)
def test_log_says_why_a_token_is_refused(
    find_user: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, Any],
    reason: str,
) -> None:
    """Once in a while, and never with the token."""
    monkeypatch.setattr(identity, "_refused_until", {})
    refused = token(**wrong)
    for _ in range(3):
        assert find_user(refused) is None
    lines = [each.getMessage() for each in caplog.records]
    (line,) = [each for each in lines if "is refused" in each]
    assert reason in line
    assert not any(part in caplog.text for part in refused.split("."))


def test_token_of_real_vestibule_identifies_user(
    open_backend: Any, live_server: LiveServer
) -> None:
    """It names the same user as verify does."""
    audience = live_server.url.partition("//")[2]
    given = requests.get(
        f"{live_server.url}/api/v1/auth_session/verify",
        timeout=60,
        headers={"Cookie": live_server.admin_cookie},
    ).headers[HEADER]
    with open_backend(live_server.url, audience, 30) as find_user:
        assert find_user(given) == Principal(
            live_server.ada.id,
            "ada@example.com",
            "admin",
            level=1,
            reauth_window=300,
        )
    with open_backend(live_server.url, "other.example", 30) as find_user:
        assert find_user(given) is None


def test_identity_in_process_needs_url(open_backend: Any) -> None:
    """Whose signatures count must be configured."""
    with (
        pytest.raises(InvalidValue, match="audience"),
        open_backend(SETTINGS, AUDIENCE),
    ):
        pass

#!/usr/bin/env python3
"""ASVS 7.1: SECURITY.md describes sessions as they work."""

from datetime import datetime

import pytest

from tests.asvs.page import block, numbers
from tests.asvs.service import Service
from tests.e2e.server.accounts import PASSWORD, account, handle_of
from tests.serving import SESSIONS
from tests.threads import at_once
from vestibule.core import settings


@pytest.mark.parametrize(
    ("column", "profile"),
    [
        (1, "contract"),
        (3, "hardened"),
    ],
)
def test_v7_1_1_timeouts_are_as_documented(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    column: int,
    profile: str,
) -> None:
    """The page shows the effective settings, and sessions follow them."""
    server: Service = request.getfixturevalue(profile)
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    told = {line[0]: int(line[column]) for line in block("timeouts")}
    known = {one.name: one for one in settings.ALL}
    assert told == {name: known[name].read() for name in told}
    assert set(told) == {
        name
        for name in known
        if name in ("SESSION_DURATION", "SESSION_MAX_AGE", "REAUTH_WINDOW")
        or (name.startswith("SESSION_") and "TIMEOUT" in name)
    }
    monkeypatch.setenv("SECURITY_PROFILE", "standard")
    middle = {line[0]: int(line[2]) for line in block("timeouts")}
    assert middle == {name: known[name].read() for name in middle}
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    (shown,) = server.request("GET", SESSIONS, account().session_id).get_json()
    if not told["SESSION_MAX_AGE"]:
        assert shown["expires_at"] is None
        return
    lives = datetime.fromisoformat(shown["expires_at"]) - (
        datetime.fromisoformat(shown["last_seen_at"] or shown["created_at"])
    )
    shortest = min(told["SESSION_IDLE_TIMEOUT"], told["SESSION_MAX_AGE"])
    assert lives.total_seconds() == shortest


def test_v7_1_2_concurrent_sessions_are_as_documented(
    hardened: Service,
) -> None:
    """With a limit the oldest session ends, also for concurrent logins."""
    told = numbers("concurrent-sessions")
    assert told == {"default": 0}
    assert settings.MAX_SESSIONS_PER_USER.default == str(told["default"])
    user = account()
    tokens = [hardened.login(user.email, PASSWORD) for _ in range(3)]
    # The session that `account` created was the oldest.
    assert hardened.status(user.session_id) == 403
    assert [hardened.status(token) for token in tokens] == [200] * 3
    tokens.append(hardened.login(user.email, PASSWORD))
    assert [hardened.status(token) for token in tokens] == [403, *[200] * 3]

    def log_in(_: int) -> int:
        """Log in when all threads are ready."""
        return hardened.post_login(user.email, PASSWORD).status_code

    # 503: the queue for password hashing was full.
    assert set(at_once(20, log_in)) <= {200, 503}
    token = hardened.login(user.email, PASSWORD)
    assert len(hardened.request("GET", SESSIONS, token).get_json()) == 3


def test_v7_1_2_without_a_bound(contract: Service) -> None:
    """By default a login ends no other session."""
    user = account()
    assert contract.status(user.session_id) == 200
    tokens = [contract.login(user.email, PASSWORD) for _ in range(6)]
    assert [contract.status(token) for token in tokens] == [200] * 6
    assert contract.status(user.session_id) == 200
    assert len({handle_of(token) for token in tokens}) == 6

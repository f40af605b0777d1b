#!/usr/bin/env python3
"""ASVS 7.3: idle timeout and maximum age."""

import pytest

from tests.asvs.conftest import Start
from tests.asvs.service import Service
from tests.clocks import SetClock
from tests.e2e.server.accounts import PASSWORD, account
from tests.serving import ME


def ended(server: Service, token: str) -> str | None:
    """Return the reason why a session is refused, or `None`."""
    answer = server.request("GET", ME, token)
    if answer.status_code == 200:
        return None
    assert answer.status_code == 403
    return answer.headers.get("Session-Ended")


def test_v7_3_1_idle_timeout(start: Start, set_clock: SetClock) -> None:
    """Two unused seconds end a session; use extends it."""
    server, user = start(SESSION_IDLE_TIMEOUT="2"), account()
    quiet = server.login(user.email, PASSWORD)
    used = server.login(user.email, PASSWORD)
    for _ in range(6):
        set_clock.advance(0.5)
        assert ended(server, used) is None
    assert ended(server, quiet) == "reason=idle_timeout"
    set_clock.advance(2.1)
    assert ended(server, used) == "reason=idle_timeout"


@pytest.mark.parametrize(
    "kind",
    [
        "session_auth",
        "session_exp_auth",
        "session_db_auth",
    ],
)
def test_v7_3_2_absolute_lifetime(
    kind: str, start: Start, set_clock: SetClock
) -> None:
    """Three seconds end a session in every store, despite use."""
    server = start(kind, SESSION_MAX_AGE="3")
    token = server.login(account().email, PASSWORD)
    for _ in range(6):
        set_clock.advance(0.5)
        assert ended(server, token) is None
    set_clock.advance(0.001)
    assert ended(server, token) == "reason=expired"

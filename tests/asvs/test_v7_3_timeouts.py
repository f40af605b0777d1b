#!/usr/bin/env python3
"""ASVS 7.3: idle timeout and maximum age, by a real clock."""

import time
from pathlib import Path

import pytest

from tests.asvs.service import Service
from tests.e2e.server.accounts import PASSWORD, account
from tests.serving import COOKIE, ME


def ended(server: Service, token: str) -> str | None:
    """Return the reason why a session is refused, or `None`."""
    answer = server.request("GET", ME, token)
    if answer.status_code == 200:
        return None
    assert answer.status_code == 403
    return answer.headers.get("Session-Ended")


def test_v7_3_1_idle_timeout(tmp_path: Path) -> None:
    """Two unused seconds end a session; use extends it."""
    server = Service(tmp_path, COOKIE, SESSION_IDLE_TIMEOUT="2").start()
    try:
        user = account()
        quiet = server.login(user.email, PASSWORD)
        used = server.login(user.email, PASSWORD)
        for _ in range(6):
            time.sleep(0.5)
            assert ended(server, used) is None
        assert ended(server, quiet) == "reason=idle_timeout"
        time.sleep(2.1)
        assert ended(server, used) == "reason=idle_timeout"
    finally:
        server.stop()


@pytest.mark.parametrize(
    "kind",
    [
        "session_auth",
        "session_exp_auth",
        "session_db_auth",
    ],
)
def test_v7_3_2_absolute_lifetime(kind: str, tmp_path: Path) -> None:
    """Three seconds end a session in every store, despite use."""
    server = Service(
        tmp_path, COOKIE, AUTH_TYPE=kind, SESSION_MAX_AGE="3"
    ).start()
    try:
        user = account()
        began = time.monotonic()
        token = server.login(user.email, PASSWORD)
        for _ in range(6):
            answer = ended(server, token)
            if time.monotonic() - began < 3:
                assert answer is None
            time.sleep(0.5)
        time.sleep(max(0, began + 3.5 - time.monotonic()))
        assert ended(server, token) == "reason=expired"
    finally:
        server.stop()

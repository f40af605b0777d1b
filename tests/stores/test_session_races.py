#!/usr/bin/env python3
"""Concurrent threads on the sessions of one mechanism."""

import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.clocks import SetClock
from tests.fake_requests import FakeRequest, with_session
from tests.stores.conftest import Make
from tests.threads import at_once
from vestibule.mechanisms import session_exp_auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_exp_auth import SessionExpAuth


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let Python change threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_concurrent_logouts_end_the_session_once(
    mechanism: Make, hasty_threads: None
) -> None:
    """Eight threads end each session; one of them gets True."""
    auth = mechanism(60)
    for _ in range(5):
        visit = with_session(auth.create_session("abcde"))

        def end(_: int, visit: FakeRequest = visit) -> bool:
            """End the session of this turn."""
            return auth.destroy_session(visit)

        ended = at_once(8, end)
        assert sorted(ended) == [False] * 7 + [True]


def test_concurrent_threads_find_only_their_own_sessions(
    mechanism: Make, hasty_threads: None
) -> None:
    """Each thread finds its own sessions, and ends them, undisturbed."""
    auth = mechanism(60)

    def come_and_go(number: int) -> bool:
        """Begin and end sessions; tell if all was as for one thread."""
        good = True
        for turn in range(5):
            user_id = f"{number}-{turn}"
            session_id = auth.create_session(user_id)
            good &= auth.user_id_for_session_id(session_id) == user_id
            good &= auth.destroy_session(with_session(session_id))
            good &= auth.user_id_for_session_id(session_id) is None
        return good

    assert all(at_once(8, come_and_go))
    assert auth.user_id_by_session_id == {}


class SlowToPop(dict[str, Any]):
    """A dictionary that lets no entry go before a session was dated."""

    def __init__(self) -> None:
        """Begin empty, with nothing seen yet."""
        super().__init__()
        self.popping = threading.Event()
        self.dated = threading.Event()

    def __setitem__(self, key: str, value: Any) -> None:
        """Keep the entry, and see whether it is a dated one."""
        super().__setitem__(key, value)
        if isinstance(value, dict):
            self.dated.set()

    def pop(self, key: str, *default: Any) -> Any:
        """Say that a purge got here, and wait for the date."""
        self.popping.set()
        self.dated.wait(5)
        return super().pop(key, *default)


def test_purge_during_a_login_keeps_the_session(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """A purge between the two steps of a beginning does not delete it."""
    monkeypatch.setenv("SESSION_DURATION", "60")
    entries = SlowToPop()
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", entries)
    auth = SessionExpAuth()
    purging = threading.Thread(target=auth.purge_expired, daemon=True)

    def now(_: object) -> datetime:
        """Let the purge run while the session has no date yet."""
        if not purging.ident:
            purging.start()
            entries.popping.wait(0.3)
        return set_clock.moment

    monkeypatch.setattr(session_exp_auth, "datetime", SimpleNamespace(now=now))
    session_id = auth.create_session("abcde")
    purging.join(10)
    assert not purging.is_alive()
    assert auth.user_id_for_session_id(session_id) == "abcde"

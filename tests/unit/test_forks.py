#!/usr/bin/env python3
"""A forked child is not blocked by locks of threads of its parent."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.threads import held
from tests.unit.range_service import RangeService
from vestibule.accounts import password_policy
from vestibule.accounts.authentication import hash_queue
from vestibule.accounts.password_policy import is_breached
from vestibule.mechanisms.session_auth import SessionAuth

STOLEN = "violet umbrella"


def holds_in_forked_child(done: Callable[[], bool]) -> bool:
    """Return True if `done` is true in a forked child, within 20 seconds."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # A lock whose owner is not in the child would block for ever.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            code = 0 if done() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_forked_child_has_an_empty_hash_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The places that the parent's threads took are free in it."""
    monkeypatch.setenv("BLOCKING_THREADS", "4")
    monkeypatch.setenv("WORKERS", "64")
    hash_queue.cache_clear()

    def hash_once() -> bool:
        """Take the one turn that there is, before the alarm."""
        with hash_queue().turn():
            return True

    try:
        with held(hash_queue().turn):
            assert holds_in_forked_child(hash_once)
    finally:
        hash_queue.cache_clear()


def test_forked_child_can_ask_about_breached_passwords(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many questions its parent has open."""
    taken = [
        password_policy._slots.acquire(blocking=False)
        for _ in range(password_policy.MAX_CONCURRENT_REQUESTS)
    ]
    assert all(taken)
    try:
        with RangeService(STOLEN) as service:
            monkeypatch.setenv("PASSWORD_BREACH_URL", service.url)
            monkeypatch.setattr(password_policy, "MAX_LOOK_UP_SECONDS", 10)
            assert not is_breached(STOLEN)
            assert holds_in_forked_child(lambda: is_breached(STOLEN))
    finally:
        for _ in taken:
            password_policy._slots.release()


def test_forked_child_can_begin_sessions_in_memory() -> None:
    """Though a thread of its parent was about to, at the fork."""
    auth = SessionAuth()
    with held(lambda: SessionAuth._memory.lock):
        assert holds_in_forked_child(
            lambda: auth.create_session("abcde") is not None
        )

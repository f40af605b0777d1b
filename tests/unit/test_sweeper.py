#!/usr/bin/env python3
"""The sweeper: one thread per process that survives failures."""

import logging
import os
import threading

import pytest

from tests.serving import COOKIE
from tests.threads import FailingThreadStart
from vestibule.api.app import create_app
from vestibule.core.errors import DatabaseUnavailable
from vestibule.http import verify
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.sweeper import Sweeper

_earlier: set[threading.Thread] = set()


def _sweepers() -> list[threading.Thread]:
    """Return the sweepers that this test began."""
    return [
        thread
        for thread in threading.enumerate()
        if thread.name == "sweeper" and thread not in _earlier
    ]


@pytest.fixture(autouse=True)
def only_new_ones() -> None:
    """Ignore sweepers of earlier tests."""
    _earlier.clear()
    _earlier.update(_sweepers())


def test_sweep_logs_what_it_deleted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A sweep that deletes nothing logs nothing."""
    counts = iter([0, 3])
    sweeper = Sweeper(lambda: next(counts))
    with caplog.at_level(logging.INFO):
        sweeper.sweep()
        assert caplog.text == ""
        sweeper.sweep()
    assert "deleted 3 expired sessions" in caplog.text


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), KeyError("a")])
def test_failed_sweep_is_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a failure of the database nor a defect ends the sweeper."""

    def fail() -> int:
        """Raise the error of the test."""
        raise error

    with caplog.at_level(logging.WARNING):
        Sweeper(fail).sweep()
    assert "cannot delete expired sessions yet" in caplog.text
    assert str(error) in caplog.text


@pytest.mark.slow
def test_sweeper_runs_until_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One thread starts, sweeps after the interval, fails, goes on, ends."""
    monkeypatch.setenv("SESSION_PURGE_INTERVAL", "1")
    swept = threading.Semaphore(0)

    def sweep() -> int:
        """Count the sweep, and fail."""
        swept.release()
        raise DatabaseUnavailable("gone")

    sweeper = Sweeper(sweep)
    assert _sweepers() == []
    for _ in range(3):
        sweeper.ensure_running()
    running = _sweepers()
    assert len(running) == 1
    assert running[0].daemon
    assert not swept.acquire(blocking=False)
    assert swept.acquire(timeout=20)
    assert swept.acquire(timeout=20)
    sweeper.stop()
    running[0].join(20)
    assert _sweepers() == []


def test_second_thread_starts_no_sweeper() -> None:
    """A thread that waited during the start does not start another one."""
    sweeper = Sweeper(lambda: 0)

    class OtherCameFirst:
        """A lock that another thread has held before."""

        entered = False

        def __enter__(self) -> None:
            """Let the other thread start first."""
            if not self.entered:
                self.entered = True
                sweeper.ensure_running()

        def __exit__(self, *_: object) -> None:
            """Release the lock."""

    sweeper._starting = OtherCameFirst()  # type: ignore[assignment]
    sweeper.ensure_running()
    running = _sweepers()
    assert len(running) == 1
    sweeper.stop()
    running[0].join(20)


def test_concurrent_requests_start_one_sweeper() -> None:
    """Requests that come at once do not start one each."""
    sweeper = Sweeper(lambda: 0)
    asking = [
        threading.Thread(target=sweeper.ensure_running) for _ in range(16)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    running = _sweepers()
    assert len(running) == 1
    sweeper.stop()
    running[0].join(20)


def test_refused_thread_is_started_by_the_next_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The request goes on, and the next one starts the sweeper."""
    sweeper = Sweeper(lambda: 0)
    FailingThreadStart(monkeypatch)
    sweeper.ensure_running()
    assert _sweepers() == []
    assert "no thread for sweeper: can't start new thread" in caplog.text
    sweeper.ensure_running()
    running = _sweepers()
    assert len(running) == 1
    sweeper.stop()
    running[0].join(20)


def test_forked_process_starts_its_own_sweeper() -> None:
    """Threads do not pass a fork, so the child's first request starts one."""
    sweeper = Sweeper(lambda: 0)
    sweeper.ensure_running()
    child = os.fork()
    if child == 0:
        before = len(_sweepers())
        sweeper.ensure_running()
        os._exit(10 * before + len(_sweepers()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    running = _sweepers()
    sweeper.stop()
    running[0].join(20)


def test_verify_requests_start_the_sweeper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forward authentication runs before Flask."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    client = create_app(SessionDBAuth()).test_client()
    assert _sweepers() == []
    client.get(verify.PATH)
    assert len(_sweepers()) == 1

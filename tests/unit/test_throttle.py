#!/usr/bin/env python3
"""The throttle: how long an attempt must wait, without a database."""

from datetime import datetime, timedelta, timezone

import pytest

from vestibule.accounts import throttle
from vestibule.accounts.permissions import Actor
from vestibule.core import settings
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db import login_failures
from vestibule.db.login_failures import FailureCount, FailureCounts

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)
NEVER = FailureCount()
FREE, MANY = throttle.FREE_FAILURES, throttle.FREE_NETWORK_FAILURES


def ago(seconds: float) -> datetime:
    """Return the moment so many seconds before now."""
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("count", "delay"),
    [
        (0, 0),
        (1, 0),
        (3, 0),
        (4, 1),
        (5, 2),
        (6, 4),
        (12, 256),
        (13, 512),
        (14, 900),
        (15, 900),
        (2_000_000_000, 900),
    ],
)
def test_delay_doubles_up_to_a_bound(count: int, delay: int) -> None:
    """What is free costs nothing; then each failure doubles the wait."""
    assert throttle.delay_after(count) == delay
    assert throttle.delay_after(count + MANY - FREE, MANY) == delay


@pytest.mark.parametrize(
    ("count", "passed", "left"),
    [
        (3, 0, 0),
        (4, 0, 1),
        (4, 0.2, 1),
        (4, 1, 0),
        (6, 1.5, 3),
        (6, 5, 0),
        (20, 899.5, 1),
        (20, 900, 0),
        (20, 3_600, 0),
        (20, -5, 900),
        (20, -11, 0),
    ],
)
def test_remaining_delay_is_in_whole_seconds(
    count: int, passed: float, left: int
) -> None:
    """Whole seconds are told; another machine's clock may be ahead a bit."""
    assert throttle.seconds_left(count, ago(passed), NOW) == left


def test_no_failure_means_no_wait() -> None:
    """A counter that is not there demands nothing."""
    assert throttle.seconds_left(0, None, NOW) == 0
    assert throttle.count_failures(NEVER, NOW) == 0


@pytest.mark.parametrize(
    ("passed", "counted"), [(0, 9), (3_600, 9), (3_601, 0), (-11, 0)]
)
def test_old_or_future_failures_do_not_count(
    passed: float, counted: int
) -> None:
    """What failed long ago, or after a clock was set back, is forgotten."""
    assert (
        throttle.count_failures(FailureCount(9, ago(passed)), NOW) == counted
    )


@pytest.mark.parametrize(
    ("account", "network", "wait", "first"),
    [
        (NEVER, NEVER, 0, False),
        (FailureCount(50, ago(0)), NEVER, 0, False),
        (FailureCount(50, ago(0)), FailureCount(9, ago(3_601)), 0, False),
        (FailureCount(50, ago(0)), FailureCount(0, ago(1)), 0, False),
        (FailureCount(50, ago(0)), FailureCount(1, ago(3_000)), 900, True),
        (FailureCount(FREE, ago(0)), FailureCount(MANY, ago(0)), 0, False),
        (NEVER, FailureCount(MANY + 2, ago(0)), 2, True),
        (
            FailureCount(FREE + 1, ago(0)),
            FailureCount(MANY + 3, ago(0)),
            4,
            True,
        ),
        (
            FailureCount(FREE + 3, ago(0)),
            FailureCount(MANY + 1, ago(0)),
            4,
            True,
        ),
        (FailureCount(FREE + 1, ago(2)), FailureCount(MANY, ago(2)), 0, True),
        (FailureCount(FREE, ago(2)), FailureCount(MANY + 1, ago(2)), 0, True),
    ],
)
def test_account_counts_only_for_networks_that_failed(
    account: FailureCount, network: FailureCount, wait: int, first: bool
) -> None:
    """An attacker elsewhere cannot make the owner of an account wait."""
    both = FailureCounts(account, network)
    assert throttle.wait_before(both, NOW) == wait
    assert throttle.is_counted_first(both, NOW) is first


def test_throttle_is_on_by_default() -> None:
    """Who does not know of the setting is protected."""
    assert settings.THROTTLE.read() is True


def test_login_succeeds_if_the_reset_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A right password gets in where the counters cannot be written."""

    def refuse(*_: object) -> None:
        """Fail as a full disk does."""
        raise DatabaseUnavailable("the disk is full")

    failed = throttle.throttle().attempt("bob", Actor(address="192.0.2.1"))
    failed.check()
    failed.begin()
    failed.fail()
    right = throttle.throttle().attempt("bob", Actor(address="192.0.2.1"))
    right.check()
    right.begin()
    monkeypatch.setattr(login_failures, "reset", refuse)
    right.succeed()
    assert "not reset" in caplog.text

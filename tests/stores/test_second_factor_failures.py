#!/usr/bin/env python3
"""Wrong codes delay and switch off a second factor, on both databases."""

import multiprocessing
from datetime import datetime, timedelta

import pytest

from tests.clocks import SetClock
from tests.stores.totp_apps import code_of, enrolled, fail
from tests.threads import at_once
from vestibule.accounts import totp
from vestibule.accounts.second_factors import check_second_factor
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.core.errors import FactorSwitchedOff, Throttled
from vestibule.db import engine, factors
from vestibule.db.login_failures import Waits, begin_attempt
from vestibule.db.models.user import User
from vestibule.sessions.facts import RecoveryCodeProof


@pytest.fixture
def user(
    any_database: str, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> User:
    """Store a user, on each database, with a key for secrets."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    stored = User(email="bob@example.com")
    stored.save()
    return stored


def test_failures_wait_after_five(user: User, set_clock: SetClock) -> None:
    """After the sixth failure 1 s, then twice as long, up to 15 min."""
    app, _ = enrolled(user)
    set_clock.advance(30)
    for _ in range(6):
        fail(user, app)
    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        with pytest.raises(Throttled) as refused:
            check_second_factor(user, code_of(app))
        assert refused.value.retry_after == wait
        set_clock.advance(wait - 0.001)
        with pytest.raises(Throttled):
            check_second_factor(user, code_of(app))
        set_clock.advance(0.001)
        fail(user, app)


def test_success_sets_the_failures_back(
    user: User, set_clock: SetClock
) -> None:
    """Only failures in a row count."""
    app, _ = enrolled(user)
    for _ in range(5):
        fail(user, app)
    set_clock.advance(30)
    check_second_factor(user, code_of(app))
    assert {one.failures for one in factors.of_user(user.id)} == {0}


def test_factor_is_switched_off_after_fifty_failures(
    user: User, set_clock: SetClock
) -> None:
    """No code works then, however long it waits; other factors do."""
    app, codes = enrolled(user)
    for _ in range(50):
        set_clock.advance(900)
        fail(user, app)
    set_clock.advance(30 * 86_400)
    with pytest.raises(FactorSwitchedOff):
        check_second_factor(user, code_of(app))
    (own,) = [one for one in factors.of_user(user.id) if one.kind == "totp"]
    assert (own.failures, own.is_switched_off) == (50, True)
    proof = check_second_factor(user, recovery_code=codes[0])
    assert proof == RecoveryCodeProof(clock.now())


def test_failure_in_the_future_does_not_lock_the_factor(
    user: User, set_clock: SetClock
) -> None:
    """A clock that was set back must not keep the user waiting for years."""
    app, _ = enrolled(user)
    for _ in range(10):
        set_clock.advance(900)
        fail(user, app)
    set_clock.moment -= timedelta(days=1)
    fail(user, app)


def _attempts(factor_id: str, now: datetime, number: int) -> list[int | None]:
    """Count attempts one after the other, without any wait."""
    waits = Waits(now, 1_000, {}, now)
    return [begin_attempt(factor_id, waits) for _ in range(number)]


def _child(
    factor_id: str, now: datetime, numbers: "multiprocessing.Queue[object]"
) -> None:
    """Count attempts in four threads of another process."""
    found = at_once(4, lambda _: _attempts(factor_id, now, 10))
    numbers.put([one for part in found for one in part])
    engine.close()


@pytest.mark.slow
def test_failures_are_counted_exactly_in_two_processes(user: User) -> None:
    """Of 80 attempts at once 50 count, each with its own number."""
    app, _ = enrolled(user)
    engine.close()
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    child = context.Process(
        target=_child, args=(app.factor.id, clock.now(), numbers)
    )
    child.start()
    own = at_once(4, lambda _: _attempts(app.factor.id, clock.now(), 10))
    counted = [one for part in own for one in part] + numbers.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    allowed = sorted(one for one in counted if one is not None)
    assert allowed == list(range(1, 51))
    assert len(counted) == 80


def _use_in_child(
    factor_id: str,
    step: int,
    now: datetime,
    results: "multiprocessing.Queue[object]",
) -> None:
    """Use the code of a step in four threads of another process."""
    results.put(at_once(4, lambda _: factors.use_step(factor_id, step, now)))
    engine.close()


@pytest.mark.slow
def test_code_used_in_two_processes_works_once(
    user: User, set_clock: SetClock
) -> None:
    """Of eight threads with the same right code, one succeeds."""
    app, _ = enrolled(user)
    set_clock.advance(30)
    now, step = clock.now(), totp.step_at(clock.now())
    engine.close()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(
        target=_use_in_child, args=(app.factor.id, step, now, results)
    )
    child.start()
    used = at_once(4, lambda _: factors.use_step(app.factor.id, step, now))
    used += results.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert (used.count(True), len(used)) == (1, 8)

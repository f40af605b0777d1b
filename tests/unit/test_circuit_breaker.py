#!/usr/bin/env python3
"""The circuit breaker of PostgreSQL: deadlines of waits, by a clock."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.unit.cli.conftest import run
from vestibule.core import clock
from vestibule.db.postgresql import CircuitBreaker, ServerUnresponsive

__all__ = ["run"]


def _steps(answers: int) -> Generator[str, Any, str]:
    """Wait `answers` times, as a driver's query does; then finish."""
    for _ in range(answers):
        yield "read"
    return "rows"


def _run(steps: Generator[str, Any, str]) -> str:
    """Run the steps of a query with a socket that is never ready."""
    try:
        next(steps)
        while True:
            steps.send(0)
    except StopIteration as end:
        return str(end.value)


def test_wait_without_an_answer_ends_at_the_deadline(
    set_monotonic: "Monotonic",
) -> None:
    """The connection is closed, and the breaker opens."""
    breaker, closed, opened = CircuitBreaker(1000), list[int](), list[int]()
    breaker.on_open = lambda: opened.append(1)
    assert _run(breaker.bound(_steps(3), lambda: closed.append(1))) == "rows"
    set_monotonic.advance(1)
    steps = breaker.bound(_steps(99), lambda: closed.append(1))
    next(steps)
    set_monotonic.advance(1.4)
    assert steps.send(0) == "read"
    set_monotonic.advance(0.2)
    with pytest.raises(ServerUnresponsive):
        steps.send(0)
    assert (closed, opened) == ([1], [1])
    with pytest.raises(ServerUnresponsive):
        breaker.check()


def test_server_that_answers_others_is_slow_and_not_frozen(
    set_monotonic: "Monotonic",
) -> None:
    """One slow query ends without an effect on the others."""
    breaker = CircuitBreaker(1000)
    steps = breaker.bound(_steps(99), lambda: None)
    next(steps)
    set_monotonic.advance(1.4)
    _run(breaker.bound(_steps(1), lambda: None))
    set_monotonic.advance(0.2)
    with pytest.raises(ServerUnresponsive):
        steps.send(0)
    breaker.check()


def test_open_breaker_ends_the_other_waits(set_monotonic: "Monotonic") -> None:
    """A query that began later does not wait for its own deadline."""
    breaker = CircuitBreaker(10_000)
    first = breaker.bound(_steps(99), lambda: None)
    next(first)
    set_monotonic.advance(8)
    second = breaker.bound(_steps(99), lambda: None)
    next(second)
    set_monotonic.advance(3)
    assert second.send(0) == "read"
    for steps in (first, second):
        with pytest.raises(ServerUnresponsive):
            steps.send(0)


def test_migration_may_take_longer(set_monotonic: "Monotonic") -> None:
    """Within the block each statement has its own limit."""
    breaker = CircuitBreaker(1000)
    with breaker.allow(3600):
        steps = breaker.bound(_steps(99), lambda: None)
        next(steps)
        set_monotonic.advance(3599)
        assert steps.send(0) == "read"
        set_monotonic.advance(2)
        with pytest.raises(ServerUnresponsive):
            steps.send(0)


class Monotonic:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        """Begin anywhere."""
        self._now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds


@pytest.fixture
def set_monotonic(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    """Stop the monotonic clock; the test moves it."""
    stopped = Monotonic()
    monkeypatch.setattr(clock, "monotonic", stopped)
    return stopped

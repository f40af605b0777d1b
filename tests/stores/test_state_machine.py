#!/usr/bin/env python3
"""Random sequences of session operations, against a small model."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.clocks import SetClock
from tests.stores.conftest import Make
from tests.stores.machine import DURATION, IDLE, TOUCH, SessionMachine

pytestmark = pytest.mark.slow

#: A pooler makes the machine slow, and the other tests of stores have it.
KINDS = [
    "session_auth",
    "session_exp_auth",
    "session_db_auth-sqlite",
    "session_db_auth-postgresql",
]


def _run(
    make: Make,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    examples: int,
    steps: int,
) -> None:
    """Run the machine under the limits of the model."""
    monkeypatch.setenv("SESSION_MAX_AGE", str(DURATION))
    monkeypatch.setenv("SESSION_IDLE_TIMEOUT", str(IDLE))
    monkeypatch.setenv("SESSION_TOUCH_INTERVAL", str(TOUCH))

    class Bound(SessionMachine):
        """The machine with the mechanism and the clock of this test."""

        def __init__(self) -> None:
            """Take both from the test."""
            super().__init__(make, set_clock)

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.mark.parametrize("mechanism", KINDS, indirect=True)
def test_sessions_behave_as_the_model(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the short run some hundred steps show no difference."""
    _run(mechanism, set_clock, monkeypatch, 12, 25)


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mechanism", KINDS, indirect=True)
def test_sessions_behave_as_the_model_for_long(
    mechanism: Make, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do many thousand steps."""
    _run(mechanism, set_clock, monkeypatch, 300, 60)

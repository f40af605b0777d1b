#!/usr/bin/env python3
"""Any order of what happens to sessions, over real server processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.clocks import FileClock
from tests.e2e.server.cluster import SESSION_BACKENDS, Cluster, running_cluster
from tests.e2e.server.session_machine import SessionMachine
from tests.e2e.server.session_model import DURATION, IDLE, MAX_AGE, TOUCH

LIMITS = {
    "SESSION_DURATION": str(DURATION),
    "SESSION_MAX_AGE": str(MAX_AGE),
    "SESSION_IDLE_TIMEOUT": str(IDLE),
    "SESSION_TOUCH_INTERVAL": str(TOUCH),
    # The sweepers go by real time, which the model does not know.
    "SESSION_PURGE_INTERVAL": "86400",
}


@pytest.fixture(params=SESSION_BACKENDS)
def town(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    """Run servers under the limits of the model; this process too."""
    given = dict(LIMITS)
    if request.param.endswith("postgresql"):
        given["DATABASE_URL"] = request.getfixturevalue("on_postgresql")
    for name, value in LIMITS.items():
        monkeypatch.setenv(name, value)
    clock = FileClock(tmp_path / "clock")
    clock.install(monkeypatch)
    with running_cluster(request.param, tmp_path, clock, **given) as town:
        yield town


def _run(town: Cluster, examples: int, steps: int) -> None:
    """Let the machine run in a town."""

    class Bound(SessionMachine):
        """The machine in the town of this test."""

        def __init__(self) -> None:
            """Take the town from the test."""
            super().__init__(town)

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


def test_servers_behave_as_the_model(town: Cluster) -> None:
    """In the short run a hundred steps show no difference."""
    _run(town, 6, 25)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_servers_behave_as_the_model_for_long(town: Cluster) -> None:
    """Nor do ten thousand steps."""
    _run(town, 200, 60)

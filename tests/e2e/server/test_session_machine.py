#!/usr/bin/env python3
"""Random sequences of session events on real server processes."""

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
    # The sweepers use real time, which the model does not know.
    "SESSION_PURGE_INTERVAL": "86400",
}


@pytest.fixture
def kind() -> str:
    """Return the mechanism of the servers; a test may have another one."""
    return "session_db_auth"


@pytest.fixture
def cluster(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    """Run servers, and this process, with the limits of the model."""
    given = dict(LIMITS)
    if kind.endswith("postgresql"):
        given["DATABASE_URL"] = request.getfixturevalue("on_postgresql")
    for name, value in LIMITS.items():
        monkeypatch.setenv(name, value)
    clock = FileClock(tmp_path / "clock")
    clock.install(monkeypatch)
    with running_cluster(kind, tmp_path, clock, **given) as cluster:
        yield cluster


def run_machine(cluster: Cluster, examples: int, steps: int) -> None:
    """Run the state machine on a cluster."""

    class BoundMachine(SessionMachine):
        """The state machine of this test's cluster."""

        def __init__(self) -> None:
            """Use the cluster of the test."""
            super().__init__(cluster)

    run_state_machine_as_test(
        BoundMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_servers_match_session_model(cluster: Cluster) -> None:
    """The short run, on two servers: 6 examples of 25 steps."""
    run_machine(cluster, 6, 25)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", SESSION_BACKENDS)
def test_servers_match_session_model_in_long_run(cluster: Cluster) -> None:
    """The long run: 200 examples of 60 steps."""
    run_machine(cluster, 200, 60)

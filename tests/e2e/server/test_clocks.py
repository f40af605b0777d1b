#!/usr/bin/env python3
"""Session limits over sockets: idle timeout, maximum age, clock changes."""

from collections.abc import Iterator

import pytest

from tests.clocks import FileClock
from tests.e2e.server.accounts import PASSWORD, add_user
from tests.e2e.server.cluster import Cluster, running_cluster

KINDS = ["session_auth", "session_exp_auth", "session_db_auth"]
HOUR, DAY, YEAR = 3600, 86_400, 31_557_600
IDLE, LIFETIME = 1800, 12 * HOUR


LIMITS = {
    "SESSION_IDLE_TIMEOUT": str(IDLE),
    "SESSION_MAX_AGE": str(LIFETIME),
}


def run_limited(
    kind: str, folders: pytest.TempPathFactory, **given: str
) -> Iterator[Cluster]:
    """Run servers that throttle, and whose sweeper does not run."""
    folder = folders.mktemp("cluster")
    clock = FileClock(folder / "clock")
    with running_cluster(
        kind,
        folder,
        clock,
        THROTTLE="on",
        SESSION_PURGE_INTERVAL="86400",
        **given,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module", params=KINDS)
def limited_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Run servers with both limits for all tests of this module."""
    yield from run_limited(request.param, tmp_path_factory, **LIMITS)


@pytest.fixture(scope="module", params=KINDS)
def unlimited_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Run servers whose sessions never expire."""
    yield from run_limited(request.param, tmp_path_factory)


def use_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Let the test process use the clock and database of a cluster."""
    cluster.clock.install(monkeypatch)
    monkeypatch.setenv("DATABASE_URL", cluster.server(0).env["DATABASE_URL"])
    cluster.begin()
    return cluster


@pytest.fixture
def limited(
    limited_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """Return servers with both limits and no users."""
    return use_cluster(limited_cluster, monkeypatch)


@pytest.fixture
def unlimited(
    unlimited_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """Return servers without limits and without users."""
    return use_cluster(unlimited_cluster, monkeypatch)


def add_and_log_in(cluster: Cluster) -> tuple[str, str]:
    """Log in a new user; return the email and the session id."""
    email = str(add_user().email)
    return email, cluster.server(0).login(email, PASSWORD)


def responses(cluster: Cluster, secret: str) -> set[tuple[int, str | None]]:
    """Return the status and the reason that each server gives."""
    answers = [
        server.request("GET", "/api/v1/users/me", secret)
        for server in cluster.servers
    ]
    return {
        (each.status_code, each.headers.get("Session-Ended"))
        for each in answers
    }


GOOD = {(200, None)}


def refused(reason: str) -> set[tuple[int, str | None]]:
    """Return the expected responses for a session that has ended."""
    return {(403, f"reason={reason}")}


def test_unused_session_ends_at_idle_timeout(limited: Cluster) -> None:
    """An unused session ends to the second; a used one lasts until its maximum
    age.
    """
    _, quiet = add_and_log_in(limited)
    email, used = add_and_log_in(limited)
    limited.move(IDLE)
    assert responses(limited, used) == GOOD
    limited.move(1)
    assert responses(limited, quiet) == refused("idle_timeout")
    for _ in range(LIFETIME // IDLE - 1):
        limited.move(IDLE - 1)
        assert responses(limited, used) == GOOD
    again = limited.server(0).login(email, PASSWORD)
    limited.move(LIFETIME // IDLE - 2)
    assert responses(limited, used) == GOOD
    limited.move(1)
    assert responses(limited, used) == refused("expired")
    assert responses(limited, again) == GOOD


@pytest.mark.parametrize(
    ("step", "reason"),
    [(-HOUR, "clock_changed"), (DAY, "expired"), (10 * YEAR, "expired")],
)
def test_clock_jump_ends_limited_sessions(
    limited: Cluster, step: int, reason: str
) -> None:
    """Sessions from the future or the distant past are refused. A new login
    works, also after the clock jumps back.
    """
    email, before = add_and_log_in(limited)
    assert (
        limited.server(0)
        .request(
            "POST",
            "/api/v1/auth_session/login",
            data={"email": email, "password": "not the right one"},
        )
        .status_code
        == 401
    )
    limited.move(step)
    assert responses(limited, before) == refused(reason)
    after = limited.server(0).login(email, PASSWORD)
    assert responses(limited, after) == GOOD
    limited.move(-step)
    assert responses(limited, after) == refused(
        "clock_changed" if step > 0 else "idle_timeout"
    )
    again = limited.server(0).login(email, PASSWORD)
    assert responses(limited, again) == GOOD


def test_corrected_clock_makes_sessions_valid_again(limited: Cluster) -> None:
    """A session that a wrong clock refused is valid under the right one."""
    _, secret = add_and_log_in(limited)
    limited.move(-HOUR)
    assert responses(limited, secret) == refused("clock_changed")
    limited.move(HOUR)
    assert responses(limited, secret) == GOOD


def test_session_from_ten_seconds_ahead_is_valid(limited: Cluster) -> None:
    """A clock may be ten seconds behind the start, but not eleven."""
    _, secret = add_and_log_in(limited)
    limited.move(-10)
    assert responses(limited, secret) == GOOD
    limited.move(-1)
    assert responses(limited, secret) == refused("clock_changed")


def test_clock_jump_keeps_unlimited_sessions(unlimited: Cluster) -> None:
    """Sessions without limits survive every change of the clock."""
    _, secret = add_and_log_in(unlimited)
    for step in (-HOUR, DAY, 10 * YEAR, -11 * YEAR, 11 * YEAR):
        unlimited.move(step)
        assert responses(unlimited, secret) == GOOD

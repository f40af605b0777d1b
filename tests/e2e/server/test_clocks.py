#!/usr/bin/env python3
"""Time over a socket: sessions that nobody uses, and clocks that jump."""

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


def _started(
    kind: str, folders: pytest.TempPathFactory, **given: str
) -> Iterator[Cluster]:
    """Run servers that throttle as usual, and sweep by no real clock."""
    folder = folders.mktemp("town")
    clock = FileClock(folder / "clock")
    with running_cluster(
        kind,
        folder,
        clock,
        THROTTLE="on",
        SESSION_PURGE_INTERVAL="86400",
        **given,
    ) as town:
        yield town


@pytest.fixture(scope="module", params=KINDS)
def limited_town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Run servers with both limits for all tests of this module."""
    yield from _started(request.param, tmp_path_factory, **LIMITS)


@pytest.fixture(scope="module", params=KINDS)
def endless_town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Run servers whose sessions never end by themselves."""
    yield from _started(request.param, tmp_path_factory)


def _lent(town: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Put the test on the clock and the database of a town."""
    town.clock.install(monkeypatch)
    monkeypatch.setenv("DATABASE_URL", town.server(0).env["DATABASE_URL"])
    town.begin()
    return town


@pytest.fixture
def limited(limited_town: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Return servers with both limits, and without users."""
    return _lent(limited_town, monkeypatch)


@pytest.fixture
def endless(endless_town: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Return servers without limits, and without users."""
    return _lent(endless_town, monkeypatch)


def enter(town: Cluster) -> tuple[str, str]:
    """Log a new user in; return the email and the session id."""
    email = str(add_user().email)
    return email, town.server(0).login(email, PASSWORD)


def seen(town: Cluster, secret: str) -> set[tuple[int, str | None]]:
    """Return what the servers answer: the status, and why it is so."""
    answers = [
        server.request("GET", "/api/v1/users/me", secret)
        for server in town.servers
    ]
    return {
        (each.status_code, each.headers.get("Session-Ended"))
        for each in answers
    }


GOOD = {(200, None)}


def refused(reason: str) -> set[tuple[int, str | None]]:
    """Return what all servers answer when a session is dead."""
    return {(403, f"reason={reason}")}


def test_who_does_nothing_is_out(limited: Cluster) -> None:
    """Half an hour without a request ends a session, to the second; with
    one each half hour it goes on, as long as a session may.
    """
    _, quiet = enter(limited)
    email, used = enter(limited)
    limited.move(IDLE)
    assert seen(limited, used) == GOOD
    limited.move(1)
    assert seen(limited, quiet) == refused("idle_timeout")
    for _ in range(LIFETIME // IDLE - 1):
        limited.move(IDLE - 1)
        assert seen(limited, used) == GOOD
    again = limited.server(0).login(email, PASSWORD)
    limited.move(LIFETIME // IDLE - 2)
    assert seen(limited, used) == GOOD
    limited.move(1)
    assert seen(limited, used) == refused("expired")
    assert seen(limited, again) == GOOD


@pytest.mark.parametrize(
    ("step", "reason"),
    [(-HOUR, "clock_changed"), (DAY, "expired"), (10 * YEAR, "expired")],
)
def test_a_clock_that_jumps_ends_what_has_limits(
    limited: Cluster, step: int, reason: str
) -> None:
    """A session of the future is refused, and so is one of long ago; who
    logs in anew is in, and comes through the jump back likewise.
    """
    email, before = enter(limited)
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
    assert seen(limited, before) == refused(reason)
    after = limited.server(0).login(email, PASSWORD)
    assert seen(limited, after) == GOOD
    limited.move(-step)
    assert seen(limited, after) == refused(
        "clock_changed" if step > 0 else "idle_timeout"
    )
    again = limited.server(0).login(email, PASSWORD)
    assert seen(limited, again) == GOOD


def test_a_clock_set_right_gives_sessions_back(limited: Cluster) -> None:
    """What a wrong clock refused is live again after it; nobody swept."""
    _, secret = enter(limited)
    limited.move(-HOUR)
    assert seen(limited, secret) == refused("clock_changed")
    limited.move(HOUR)
    assert seen(limited, secret) == GOOD


def test_clocks_of_two_machines_may_differ(limited: Cluster) -> None:
    """Ten seconds before its beginning a session opens; eleven, not."""
    _, secret = enter(limited)
    limited.move(-10)
    assert seen(limited, secret) == GOOD
    limited.move(-1)
    assert seen(limited, secret) == refused("clock_changed")


def test_no_jump_ends_what_has_no_limits(endless: Cluster) -> None:
    """Where sessions do not end by themselves, nobody asks for their age."""
    _, secret = enter(endless)
    for step in (-HOUR, DAY, 10 * YEAR, -11 * YEAR, 11 * YEAR):
        endless.move(step)
        assert seen(endless, secret) == GOOD

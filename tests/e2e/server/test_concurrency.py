#!/usr/bin/env python3
"""Concurrent requests to two servers on one database."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.clocks import FileClock
from tests.e2e.server.accounts import PASSWORD, add_user, open_session
from tests.e2e.server.cluster import Cluster, running_cluster
from tests.serving import COOKIE, LOGOUT, ME, SESSIONS
from tests.threads import at_once
from vestibule.db.models.user_session import UserSession

TOUCH = 5
#: Clients that use a session while another client logs out.
CLIENTS = 4


@pytest.fixture
def cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """Run two servers, whose caches of sessions may differ."""
    clock = FileClock(tmp_path / "clock")
    clock.install(monkeypatch)
    with running_cluster(
        "session_db_auth",
        tmp_path,
        clock,
        SESSION_MAX_AGE="3600",
        SESSION_TOUCH_INTERVAL=str(TOUCH),
    ) as cluster:
        yield cluster


def test_concurrent_use_does_not_restore_ended_session(
    cluster: Cluster,
) -> None:
    """A session that ends while other requests use it stays ended."""
    user = add_user()
    secrets = [open_session(user) for _ in range(200)]
    # The next use of each session is stored.
    cluster.move(TOUCH)
    barrier = threading.Barrier(1 + CLIENTS)

    def log_out_or_use(number: int) -> set[int]:
        """Log out of each session, or use it at the same moment."""
        told = set()
        url = cluster.server(0 if number else 1).url
        with requests.Session() as wire:
            for secret in secrets:
                cookie = {"Cookie": f"{COOKIE}={secret}"}
                barrier.wait(30)
                answer = wire.request(
                    "GET" if number else "DELETE",
                    url + (ME if number else LOGOUT),
                    headers=cookie,
                    timeout=30,
                )
                told.add(answer.status_code)
        return told

    logout, *uses = at_once(1 + CLIENTS, log_out_or_use)
    assert logout == {200}
    # With only one status, no request ran beside the logout.
    assert set().union(*uses) == {200, 403}
    for secret in secrets:
        for server in cluster.servers:
            answer = server.request("GET", ME, secret)
            told = answer.headers.get("Session-Ended")
            assert (answer.status_code, told) == (403, "reason=logged_out")
    assert UserSession.count() == 0
    mine = cluster.server(0).login(str(user.email), PASSWORD)
    assert len(cluster.server(1).request("GET", SESSIONS, mine).json()) == 1

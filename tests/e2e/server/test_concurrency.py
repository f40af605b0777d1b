#!/usr/bin/env python3
"""Concurrent requests to two servers on one database."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.clocks import FileClock
from tests.e2e.server.accounts import PASSWORD, add_user, open_session
from tests.e2e.server.cluster import SESSION_BACKENDS, Cluster, running_cluster
from tests.serving import COOKIE, LOGIN, LOGOUT, ME, SESSIONS
from tests.threads import at_once
from vestibule.db.models.user_session import UserSession

TOUCH = 5
#: Clients that use a session while another client logs out.
CLIENTS = 4


@pytest.fixture(params=SESSION_BACKENDS)
def cluster(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    """Run servers that accept all logins of a test at once."""
    given = {
        "BLOCKING_THREADS": "256",
        "SESSION_MAX_AGE": "3600",
        "SESSION_TOUCH_INTERVAL": str(TOUCH),
    }
    if request.param.endswith("postgresql"):
        given["DATABASE_URL"] = request.getfixturevalue("on_postgresql")
    clock = FileClock(tmp_path / "clock")
    clock.install(monkeypatch)
    with running_cluster(request.param, tmp_path, clock, **given) as cluster:
        yield cluster


def log_in(cluster: Cluster, side: int, email: str, password: str) -> int:
    """Log in and return the status."""
    return (
        cluster.server(side)
        .request(
            "POST",
            LOGIN,
            data={
                "email": email,
                "password": password,
            },
        )
        .status_code
    )


def statuses(cluster: Cluster, secret: str) -> set[int]:
    """Return the statuses that all servers give for this session."""
    return {
        server.request("GET", ME, secret).status_code
        for server in cluster.servers
    }


def test_concurrent_logins_and_password_changes(cluster: Cluster) -> None:
    """Fifty logins make fifty sessions, known to all servers. Of twenty
    password changes one succeeds, and one session remains.
    """
    user = add_user()
    email = str(user.email)
    secrets = at_once(
        50, lambda number: cluster.server(number).login(email, PASSWORD)
    )
    assert len(set(secrets)) == 50
    for secret in secrets:
        assert statuses(cluster, secret) == {200}
    listed = cluster.server(0).request("GET", SESSIONS, secrets[0]).json()
    assert len({each["id"] for each in listed}) == 50

    def change(number: int) -> requests.Response:
        """Change the password with the session of this number."""
        return cluster.server(number).request(
            "PUT",
            f"{ME}/password",
            secrets[number],
            json={
                "current_password": PASSWORD,
                "new_password": f"violet umbrella {number}",
            },
        )

    answers = at_once(20, change)
    told = [answer.status_code for answer in answers]
    assert told.count(200) == 1
    assert set(told) <= {200, 401, 403}
    winner = told.index(200)
    for secret in secrets:
        assert statuses(cluster, secret) == {403}
    renewed = answers[winner].cookies[COOKIE]
    assert statuses(cluster, renewed) == {200}
    listed = cluster.server(1).request("GET", SESSIONS, renewed).json()
    assert [each["current"] for each in listed] == [True]
    loser = (winner + 1) % 20
    for side in range(2):
        assert log_in(cluster, side, email, PASSWORD) == 401
        assert log_in(cluster, side, email, f"violet umbrella {loser}") == 401
        assert log_in(cluster, side, email, f"violet umbrella {winner}") == 200


def test_concurrent_use_does_not_restore_ended_session(
    cluster: Cluster,
) -> None:
    """A session that ends while other requests use it stays ended."""
    user = add_user()
    stored = cluster.auth_type == "session_db_auth"
    if stored:
        secrets = [open_session(user) for _ in range(200)]
    else:
        login = cluster.server(0).login
        secrets = at_once(40, lambda _: login(str(user.email), PASSWORD))
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
    if stored:
        assert UserSession.count() == 0
    mine = cluster.server(0).login(str(user.email), PASSWORD)
    assert len(cluster.server(1).request("GET", SESSIONS, mine).json()) == 1

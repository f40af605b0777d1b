#!/usr/bin/env python3
"""Many requests at the same moment, to two servers on one database."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.clocks import FileClock
from tests.e2e.server.accounts import PASSWORD, add_user, open_session
from tests.e2e.server.cluster import SESSION_BACKENDS, Cluster, running_cluster
from tests.serving import COOKIE
from tests.threads import at_once
from vestibule.db.models.user_session import UserSession

LOGIN = "/api/v1/auth_session/login"
LOGOUT = "/api/v1/auth_session/logout"
SESSIONS = "/api/v1/auth_session/sessions"
ME = "/api/v1/users/me"
TOUCH = 5
#: Who asks beside the one who logs out.
VISITORS = 4


@pytest.fixture(params=SESSION_BACKENDS)
def town(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    """Run servers with room for all in the queue of the hashes."""
    given = {
        "BLOCKING_THREADS": "256",
        "SESSION_MAX_AGE": "3600",
        "SESSION_TOUCH_INTERVAL": str(TOUCH),
    }
    if request.param.endswith("postgresql"):
        given["DATABASE_URL"] = request.getfixturevalue("on_postgresql")
    clock = FileClock(tmp_path / "clock")
    clock.install(monkeypatch)
    with running_cluster(request.param, tmp_path, clock, **given) as town:
        yield town


def log_in(town: Cluster, side: int, email: str, password: str) -> int:
    """Return the status of a login."""
    return (
        town.server(side)
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


def statuses(town: Cluster, secret: str) -> set[int]:
    """Return what all servers answer to who has this secret."""
    return {
        server.request("GET", ME, secret).status_code
        for server in town.servers
    }


def test_fifty_logins_and_twenty_password_changes(town: Cluster) -> None:
    """Fifty logins of one user are fifty sessions, known everywhere; of
    twenty changes of the password one counts, and leaves one session.
    """
    user = add_user()
    email = str(user.email)
    secrets = at_once(
        50, lambda number: town.server(number).login(email, PASSWORD)
    )
    assert len(set(secrets)) == 50
    for secret in secrets:
        assert statuses(town, secret) == {200}
    listed = town.server(0).request("GET", SESSIONS, secrets[0]).json()
    assert len({each["id"] for each in listed}) == 50

    def change(number: int) -> requests.Response:
        """Ask for a password of one's own."""
        return town.server(number).request(
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
        assert statuses(town, secret) == {403}
    renewed = answers[winner].cookies[COOKIE]
    assert statuses(town, renewed) == {200}
    listed = town.server(1).request("GET", SESSIONS, renewed).json()
    assert [each["current"] for each in listed] == [True]
    loser = (winner + 1) % 20
    for side in range(2):
        assert log_in(town, side, email, PASSWORD) == 401
        assert log_in(town, side, email, f"violet umbrella {loser}") == 401
        assert log_in(town, side, email, f"violet umbrella {winner}") == 200


def test_no_use_brings_an_ended_session_back(town: Cluster) -> None:
    """Who is at work while the session is ended on another server notes
    the use of a session that is gone: it stays so.
    """
    user = add_user()
    stored = town.auth_type == "session_db_auth"
    if stored:
        secrets = [open_session(user) for _ in range(200)]
    else:
        login = town.server(0).login
        secrets = at_once(40, lambda _: login(str(user.email), PASSWORD))
    # Each session's next use is to be noted.
    town.move(TOUCH)
    together = threading.Barrier(1 + VISITORS)

    def come_or_go(number: int) -> set[int]:
        """Log out of each session, or use it at the same moment."""
        told = set()
        url = town.server(0 if number else 1).url
        with requests.Session() as wire:
            for secret in secrets:
                cookie = {"Cookie": f"{COOKIE}={secret}"}
                together.wait(30)
                answer = wire.request(
                    "GET" if number else "DELETE",
                    url + (ME if number else LOGOUT),
                    headers=cookie,
                    timeout=30,
                )
                told.add(answer.status_code)
        return told

    logout, *visits = at_once(1 + VISITORS, come_or_go)
    assert logout == {200}
    # Both, or nobody was at work just then.
    assert set().union(*visits) == {200, 403}
    for secret in secrets:
        for server in town.servers:
            answer = server.request("GET", ME, secret)
            told = answer.headers.get("Session-Ended")
            assert (answer.status_code, told) == (403, "reason=logged_out")
    if stored:
        assert UserSession.count() == 0
    mine = town.server(0).login(str(user.email), PASSWORD)
    assert len(town.server(1).request("GET", SESSIONS, mine).json()) == 1

#!/usr/bin/env python3
"""Throttling of password guesses over sockets."""

import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.serving import COOKIE, DB_SESSIONS, LOGIN, ME, Server
from vestibule.accounts.throttle import (
    FREE_FAILURES,
    FREE_NETWORK_FAILURES,
    MAX_WAIT_SECONDS,
)

#: Failures on an account that get 401; the next one gets 429.
BEFORE_WAITING = FREE_FAILURES + 1
#: The same for a network, over all accounts.
BEFORE_ALL_WAIT = FREE_NETWORK_FAILURES + 1
WRONG = {"email": EMAIL, "password": "wrong password"}
RIGHT = {"email": EMAIL, "password": PASSWORD}
RAISE_COUNTERS = """
from sqlalchemy import update
from vestibule.db.engine import database
from vestibule.db.tables import FAILURES
from vestibule.accounts.throttle import FREE_FAILURES, FREE_NETWORK_FAILURES
number = FAILURES.c["count"]
with database().transaction() as connection:
    connection.execute(
        update(FAILURES)
        .where(number > FREE_FAILURES)
        .values({"count": FREE_NETWORK_FAILURES + 9})
    )
"""


class SourceAddressAdapter(HTTPAdapter):
    """An adapter whose connections come from another local address."""

    def __init__(self, address: str) -> None:
        """Bind connections to `address`."""
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make the pool with the source address."""
        super().init_poolmanager(
            *args, source_address=(self._address, 0), **more
        )


def login_from(
    address: str, server: Server, form: dict[str, str]
) -> requests.Response:
    """Log in over a connection that comes from `address`."""
    with requests.Session() as session:
        session.mount("http://", SourceAddressAdapter(address))
        return session.post(server.url + LOGIN, data=form, timeout=30)


def login(
    server: Server, form: dict[str, str], **headers: str
) -> requests.Response:
    """Log in with more `headers`; underscores stand for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return server.request("POST", LOGIN, data=form, headers=named)


def exhaust(server: Server, **headers: str) -> None:
    """Fail until the next attempt on any account has to wait.

    The test raises the counters in the database, so that the wait is minutes
    and a slow machine does not outlast it.
    """
    for _ in range(BEFORE_WAITING):
        assert login(server, WRONG, **headers).status_code == 401
    server.run(RAISE_COUNTERS)


def refused(response: requests.Response) -> int:
    """Check a 429 response; return its `Retry-After` in seconds."""
    assert response.status_code == 429
    assert response.json() == {"error": "Too Many Requests"}
    assert "Set-Cookie" not in response.headers
    return int(response.headers["Retry-After"])


@pytest.fixture
def server(serve: Serve) -> Server:
    """Run a server with sessions, one user, and throttling."""
    return started(serve)


def started(serve: Serve, **more: str) -> Server:
    """Start a server with one user and throttling."""
    server = serve(
        **{
            **DB_SESSIONS,
            "THROTTLE": "on",
        }
        | more
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    return server


def test_guessing_one_account_is_throttled(server: Server) -> None:
    """Few of fifty passwords are checked; the right one must wait too."""
    answers = [login(server, WRONG) for _ in range(50)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:BEFORE_WAITING] == [401] * BEFORE_WAITING
    assert refused(answers[BEFORE_WAITING]) == 1
    # Delays of 1, 2 and 4 seconds may end on a slow machine.
    assert statuses.count(401) < 10
    assert set(statuses) == {401, 429}
    server.run(RAISE_COUNTERS)
    assert (
        MAX_WAIT_SECONDS - 60
        < refused(login(server, RIGHT))
        <= MAX_WAIT_SECONDS
    )


def test_password_spraying_is_throttled(server: Server) -> None:
    """One password for many, mostly unknown, accounts is throttled."""
    statuses = [
        login(
            server, {"email": f"u{number}@hbtn.io", "password": "1234"}
        ).status_code
        for number in range(200)
    ]
    assert statuses[:BEFORE_ALL_WAIT] == [404] * BEFORE_ALL_WAIT
    assert statuses[BEFORE_ALL_WAIT] == 429
    assert statuses.count(404) < BEFORE_ALL_WAIT + 8
    assert set(statuses) == {404, 429}


def test_owner_logs_in_from_other_network(server: Server) -> None:
    """An attack does not lock out a user on another network."""
    exhaust(server)
    refused(login(server, RIGHT))
    answer = login_from("127.0.0.2", server, RIGHT)
    assert answer.status_code == 200
    assert answer.cookies[COOKIE]
    refused(login(server, RIGHT))


def test_attacked_account_allows_one_try_per_new_network(
    server: Server,
) -> None:
    """Another network has one try at an account that is under attack."""
    exhaust(server)
    assert login_from("127.0.0.2", server, WRONG).status_code == 401
    refused(login_from("127.0.0.2", server, RIGHT))
    assert login_from("127.0.0.3", server, RIGHT).status_code == 200


@pytest.mark.parametrize(
    "forged", ["192.0.2.1", "192.0.2.1, 127.0.0.1", "127.0.0.9", "nonsense"]
)
def test_forwarded_headers_are_ignored_by_default(
    server: Server, forged: str
) -> None:
    """Without trusted proxies, no header changes the client's address."""
    exhaust(server)
    for name in ("X_Forwarded_For", "X_Real_IP", "Forwarded", "Client_IP"):
        refused(login(server, RIGHT, **{name: forged}))


def test_trusted_proxy_sets_client_address(serve: Serve) -> None:
    """Only the address that the trusted proxy added counts."""
    server = started(serve, TRUSTED_PROXIES="127.0.0.1")
    exhaust(server, X_Forwarded_For="192.0.2.1")
    for prefix in ("", "203.0.113.5, ", "127.0.0.1, ", "nonsense,,"):
        refused(login(server, RIGHT, X_Forwarded_For=f"{prefix}192.0.2.1"))
    answer = login(server, RIGHT, X_Forwarded_For="192.0.2.2")
    assert answer.status_code == 200
    assert "Secure" not in answer.headers["Set-Cookie"]
    answer = login(
        server, RIGHT, X_Forwarded_For="192.0.2.3", X_Forwarded_Proto="https"
    )
    assert "Secure" in answer.headers["Set-Cookie"]
    answer = login_from("127.0.0.2", server, RIGHT)
    assert answer.status_code == 200


def test_forwarded_proto_is_ignored_by_default(server: Server) -> None:
    """Without a trusted proxy, `X-Forwarded-Proto` has no effect."""
    answer = login(server, RIGHT, X_Forwarded_Proto="https")
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_basic_and_login_share_counters(server: Server, serve: Serve) -> None:
    """Failures with Basic credentials and with the login form add up."""
    basic = serve(AUTH_TYPE="basic_auth", THROTTLE="on")
    for _ in range(2):
        answer = basic.request("GET", ME, auth=(EMAIL, "wrong"))
        assert answer.status_code == 403
        assert login(server, WRONG).status_code == 401
    server.run(RAISE_COUNTERS)
    refused(login(server, RIGHT))
    refused(basic.request("GET", ME, auth=(EMAIL, PASSWORD)))
    with requests.Session() as session:
        session.mount("http://", SourceAddressAdapter("127.0.0.2"))
        answer = session.get(
            basic.url + ME, auth=(EMAIL, PASSWORD), timeout=30
        )
    assert answer.status_code == 200


def test_own_login_does_not_reset_network_counter(server: Server) -> None:
    """An attacker's own successful logins give no further tries."""
    server.run(ADD_USER, "mallory@hbtn.io", PASSWORD)
    for number in range(BEFORE_ALL_WAIT):
        if number % FREE_FAILURES == 0:
            server.login("mallory@hbtn.io", PASSWORD)
        form = {"email": f"u{number}@hbtn.io", "password": "1234"}
        assert login(server, form).status_code == 404
    refused(login(server, WRONG))


def test_workers_share_counters(serve: Serve) -> None:
    """A second worker gives no further tries."""
    server = started(serve, WORKERS="2")
    exhaust(server)
    for _ in range(10):
        refused(login(server, RIGHT))


def test_counters_survive_restart(server: Server) -> None:
    """The counters are stored in the database."""
    exhaust(server)
    assert server.stop() == 0
    server.start()
    refused(login(server, RIGHT))


def test_concurrent_attempts_are_throttled(server: Server) -> None:
    """Of twenty concurrent attempts at most ten are checked."""
    statuses: list[int] = []
    begin = threading.Barrier(20)

    def guess() -> None:
        """Try a wrong password when all threads are ready."""
        begin.wait(30)
        statuses.append(login(server, WRONG).status_code)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 20
    # 503: the queue for password hashing was full.
    assert set(statuses) <= {401, 429, 503}
    assert 1 <= statuses.count(401) <= 10


def test_throttle_is_on_by_default(tmp_path: Path) -> None:
    """A server without settings throttles."""
    server = Server(tmp_path, **DB_SESSIONS)
    del server.env["THROTTLE"]
    server.start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        exhaust(server)
        refused(login(server, RIGHT))
    finally:
        server.stop()


def test_session_list_shows_client_and_method(server: Server) -> None:
    """The user sees the address, program and method of a session."""
    answer = login(server, RIGHT, User_Agent="Mozilla/5.0 Firefox/130.0")
    cookie = answer.cookies[COOKIE]
    listed = server.request(
        "GET", "/api/v1/auth_session/sessions", cookie
    ).json()
    assert [
        (one["ip"], one["user_agent"], one["method"]) for one in listed
    ] == [("127.0.0.1", "Mozilla/5.0 Firefox/130.0", "password")]

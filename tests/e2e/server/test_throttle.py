#!/usr/bin/env python3
"""Guessing over a socket: it is slowed, and shuts nobody out."""

import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.serving import COOKIE, Server
from vestibule.accounts.throttle import (
    FREE_FAILURES,
    FREE_NETWORK_FAILURES,
    MAX_WAIT_SECONDS,
)

LOGIN = "/api/v1/auth_session/login"
ME = "/api/v1/users/me"
#: Failures on an account that are answered as such; the next is not.
BEFORE_WAITING = FREE_FAILURES + 1
#: The same for a network, on whatever accounts.
BEFORE_ALL_WAIT = FREE_NETWORK_FAILURES + 1
WRONG = {"email": EMAIL, "password": "wrong password"}
RIGHT = {"email": EMAIL, "password": PASSWORD}
MOVE_ON = """
from sqlalchemy import update
from vestibule.db.engine import database
from vestibule.db.tables import FAILURES
from vestibule.accounts.throttle import FREE, FREE_OF_NETWORK
number = FAILURES.c["count"]
with database().transaction() as connection:
    connection.execute(
        update(FAILURES)
        .where(number > FREE)
        .values({"count": FREE_OF_NETWORK + 9})
    )
"""


class From(HTTPAdapter):
    """Connections that come from another address of this machine."""

    def __init__(self, address: str) -> None:
        """Bind connections to `address`."""
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make the pool with the address as a source."""
        super().init_poolmanager(
            *args, source_address=(self._address, 0), **more
        )


def login_from(
    address: str, server: Server, form: dict[str, str]
) -> requests.Response:
    """Log in by a connection that comes from `address`."""
    with requests.Session() as session:
        session.mount("http://", From(address))
        return session.post(server.url + LOGIN, data=form, timeout=30)


def login(
    server: Server, form: dict[str, str], **headers: str
) -> requests.Response:
    """Log in with more `headers`, underscores standing for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return server.request("POST", LOGIN, data=form, headers=named)


def exhaust(server: Server, **headers: str) -> None:
    """Fail until the next attempt has to wait, on whatever account.

    It has to wait for some minutes: the counters are moved forward in the
    database, so that a slow machine does not wait the first delays out.
    """
    for _ in range(BEFORE_WAITING):
        assert login(server, WRONG, **headers).status_code == 401
    server.run(MOVE_ON)


def refused(response: requests.Response) -> int:
    """Check the answer to who has to wait; return the seconds."""
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
            "AUTH_TYPE": "session_db_auth",
            "SESSION_NAME": COOKIE,
            "THROTTLE": "on",
        }
        | more
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    return server


def test_fifty_passwords_for_one_account(server: Server) -> None:
    """Few of them are checked; the right one has to wait as well."""
    answers = [login(server, WRONG) for _ in range(50)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:BEFORE_WAITING] == [401] * BEFORE_WAITING
    assert refused(answers[BEFORE_WAITING]) == 1
    # Delays of 1, 2 and 4 seconds may end on a slow machine.
    assert statuses.count(401) < 10
    assert set(statuses) == {401, 429}
    server.run(MOVE_ON)
    assert (
        MAX_WAIT_SECONDS - 60
        < refused(login(server, RIGHT))
        <= MAX_WAIT_SECONDS
    )


def test_one_password_for_two_hundred_accounts(server: Server) -> None:
    """Going from account to account, most of them unknown, is no way."""
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


def test_the_owner_gets_in_from_elsewhere(server: Server) -> None:
    """An attack keeps nobody out who comes from another network."""
    exhaust(server)
    refused(login(server, RIGHT))
    answer = login_from("127.0.0.2", server, RIGHT)
    assert answer.status_code == 200
    assert answer.cookies[COOKIE]
    refused(login(server, RIGHT))


def test_an_attack_from_two_networks_is_one(server: Server) -> None:
    """Another network has one try at an account that is under attack."""
    exhaust(server)
    assert login_from("127.0.0.2", server, WRONG).status_code == 401
    refused(login_from("127.0.0.2", server, RIGHT))
    assert login_from("127.0.0.3", server, RIGHT).status_code == 200


@pytest.mark.parametrize(
    "forged", ["192.0.2.1", "192.0.2.1, 127.0.0.1", "127.0.0.9", "nonsense"]
)
def test_a_forged_header_changes_nothing(server: Server, forged: str) -> None:
    """Nobody is believed by default, under any name of the header."""
    exhaust(server)
    for name in ("X_Forwarded_For", "X_Real_IP", "Forwarded", "Client_IP"):
        refused(login(server, RIGHT, **{name: forged}))


def test_a_trusted_proxy_is_believed(serve: Serve) -> None:
    """Clients are told apart by what the proxy saw, not by what they say."""
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


def test_tls_is_not_believed_of_a_client(server: Server) -> None:
    """Without a trusted proxy the header says nothing."""
    answer = login(server, RIGHT, X_Forwarded_Proto="https")
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_basic_and_form_share_the_counters(
    server: Server, serve: Serve
) -> None:
    """Who has to wait at one door has to wait at the other."""
    basic = serve(AUTH_TYPE="basic_auth", THROTTLE="on")
    for _ in range(2):
        answer = basic.request("GET", ME, auth=(EMAIL, "wrong"))
        assert answer.status_code == 403
        assert login(server, WRONG).status_code == 401
    server.run(MOVE_ON)
    refused(login(server, RIGHT))
    refused(basic.request("GET", ME, auth=(EMAIL, PASSWORD)))
    with requests.Session() as session:
        session.mount("http://", From("127.0.0.2"))
        answer = session.get(
            basic.url + ME, auth=(EMAIL, PASSWORD), timeout=30
        )
    assert answer.status_code == 200


def test_an_account_of_ones_own_resets_nothing(server: Server) -> None:
    """Logging in to it in between gives no further tries."""
    server.run(ADD_USER, "mallory@hbtn.io", PASSWORD)
    for number in range(BEFORE_ALL_WAIT):
        if number % FREE_FAILURES == 0:
            server.login("mallory@hbtn.io", PASSWORD)
        form = {"email": f"u{number}@hbtn.io", "password": "1234"}
        assert login(server, form).status_code == 404
    refused(login(server, WRONG))


def test_workers_share_the_counters(serve: Serve) -> None:
    """Another process of the server gives no further tries."""
    server = started(serve, WORKERS="2")
    exhaust(server)
    for _ in range(10):
        refused(login(server, RIGHT))


def test_a_restart_resets_nothing(server: Server) -> None:
    """The counters are where the users are."""
    exhaust(server)
    assert server.stop() == 0
    server.start()
    refused(login(server, RIGHT))


def test_attempts_at_once_do_not_slip_through(server: Server) -> None:
    """Of many at the same moment few are checked."""
    statuses: list[int] = []
    begin = threading.Barrier(20)

    def guess() -> None:
        """Try a password when the others do."""
        begin.wait(30)
        statuses.append(login(server, WRONG).status_code)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 20
    # 503: the queue of those who wait for a hash was full.
    assert set(statuses) <= {401, 429, 503}
    assert 1 <= statuses.count(401) <= 10


def test_it_is_on_by_default(tmp_path: Path) -> None:
    """A server that is told nothing throttles."""
    server = Server(tmp_path, AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE)
    del server.env["THROTTLE"]
    server.start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        exhaust(server)
        refused(login(server, RIGHT))
    finally:
        server.stop()


def test_a_session_knows_where_it_was_opened(server: Server) -> None:
    """Its owner can tell address, program and method."""
    answer = login(server, RIGHT, User_Agent="Mozilla/5.0 Firefox/130.0")
    cookie = answer.cookies[COOKIE]
    listed = server.request(
        "GET", "/api/v1/auth_session/sessions", cookie
    ).json()
    assert [
        (one["ip"], one["user_agent"], one["method"]) for one in listed
    ] == [("127.0.0.1", "Mozilla/5.0 Firefox/130.0", "password")]

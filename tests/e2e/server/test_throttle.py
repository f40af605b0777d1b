#!/usr/bin/env python3
"""Throttling of password guesses over sockets."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.serving import COOKIE, DB_SESSIONS, LOGIN, Server
from vestibule.accounts.throttle import (
    FREE_FAILURES,
)

#: Failures on an account that get 401; the next one gets 429.
BEFORE_WAITING = FREE_FAILURES + 1
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


def test_workers_share_counters_by_client_address(serve: Serve) -> None:
    """The counters hold for all workers and after a restart, and for the
    address that connects only.
    """
    server = serve(**{**DB_SESSIONS, "THROTTLE": "on", "WORKERS": "2"})
    server.run(ADD_USER, EMAIL, PASSWORD)
    exhaust(server)
    for _ in range(10):
        refused(login(server, RIGHT))
    assert login_from("127.0.0.2", server, RIGHT).cookies[COOKIE]
    assert server.stop() == 0
    server.start()
    refused(login(server, RIGHT))
    assert login_from("127.0.0.2", server, RIGHT).status_code == 200

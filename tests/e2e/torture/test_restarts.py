#!/usr/bin/env python3
"""Two nodes behind a proxy are restarted, and no request fails."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from tests.e2e.forward_auth.proxies import PROXIES, shipped
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.serving import COOKIE, DB_SESSIONS, ME, SESSIONS, Server

#: The configuration for two nodes, by the name of the proxy.
FILES = {"nginx": "nodes.nginx.conf", "caddy": "nodes.Caddyfile"}
#: Clients of the usual run, beside other tests, and of `make torture`.
FEW_CLIENTS, MANY_CLIENTS = 2, 8
#: Seconds of `DRAIN_DELAY`: more than Caddy's interval and timeout.
DRAIN = "4"


class Load(threading.Thread):
    """A client that sends one request after another until `stop`."""

    def __init__(self, url: str, session: str, stop: threading.Event) -> None:
        """Prepare to send requests to `url` with the session."""
        super().__init__(name="load", daemon=True)
        self._url = url
        self._session = session
        self._stopping = stop
        self.statuses: Counter[int | str] = Counter()

    def run(self) -> None:
        """Count the responses by status, and what else happens."""
        with requests.Session() as http:
            http.cookies.set(COOKIE, self._session)
            while not self._stopping.is_set():
                for path in (SESSIONS, ME, "/api/v1/status"):
                    self.statuses[self._ask(http, path)] += 1

    def _ask(self, http: requests.Session, path: str) -> int | str:
        """Return the status of a response, or why there is none."""
        try:
            return http.get(self._url + path, timeout=30).status_code
        except requests.RequestException as error:
            return repr(error)


def restart_under_load(
    folder: Path, name: str, number: int, rounds: int, at_least: int
) -> Counter[int | str]:
    """Restart both nodes so often; return the statuses of all requests.

    The load of a `number` of clients goes on until there were `at_least`
    requests.
    """
    settings = {
        **DB_SESSIONS,
        "DRAIN_DELAY": DRAIN,
        "TRUSTED_PROXIES": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder}/vestibule.db",
    }
    nodes = [Server(folder, **settings).start() for _ in range(2)]
    nodes[0].run(ADD_USER, EMAIL, PASSWORD)
    proxy = PROXIES[name](folder)
    addresses = ("127.0.0.1:5000", "127.0.0.1:5001")
    proxy.start(
        shipped(FILES[name]),
        {
            written: f"127.0.0.1:{node.port}"
            for written, node in zip(addresses, nodes, strict=True)
        },
    )
    stop = threading.Event()
    session = nodes[0].login(EMAIL, PASSWORD)
    clients = [Load(proxy.url, session, stop) for _ in range(number)]
    try:
        for client in clients:
            client.start()
        for _ in range(rounds):
            for node in nodes:
                assert node.stop() == 0
                node.start()
                # The proxy looks for a node that is back at intervals.
                time.sleep(3)
        while sum(client.statuses.total() for client in clients) < at_least:
            time.sleep(0.1)
    finally:
        stop.set()
        for client in clients:
            client.join(30)
        proxy.stop()
        for node in nodes:
            node.kill()
    return sum((client.statuses for client in clients), Counter())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FILES)
def test_restart_of_two_nodes_fails_no_request(
    tmp_path: Path, name: str
) -> None:
    """Each node is restarted once under load."""
    statuses = restart_under_load(
        tmp_path, name, FEW_CLIENTS, rounds=1, at_least=500
    )
    assert set(statuses) == {200}, statuses


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FILES)
def test_ten_restarts_of_two_nodes_fail_no_request(
    tmp_path: Path, name: str
) -> None:
    """Each node is restarted ten times during 100,000 requests."""
    statuses = restart_under_load(
        tmp_path, name, MANY_CLIENTS, rounds=10, at_least=100_000
    )
    assert set(statuses) == {200}, statuses

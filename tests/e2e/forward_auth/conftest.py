#!/usr/bin/env python3
"""Fixtures: one application and one Vestibule behind each proxy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.gate import EMAIL, PASSWORD, Application, Gate
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    PROXIES,
    VESTIBULE,
    shipped,
)
from tests.e2e.server.conftest import ADD_USER
from tests.serving import COOKIE, Server

#: Starts a proxy of this name before a server, perhaps with more of its
#: configuration put elsewhere.
Guard = Callable[..., Gate]


@pytest.fixture(scope="session")
def application() -> Iterator[Application]:
    """Run the application for all tests."""
    running = Application()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def vestibule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Vestibule that knows one user and trusts the proxies."""
    server = Server(
        tmp_path_factory.mktemp("vestibule"),
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        TRUSTED_PROXIES="127.0.0.1",
        THROTTLE="on",
    ).start()
    server.run(ADD_USER, EMAIL, PASSWORD)
    yield server
    assert server.stop() == 0


@pytest.fixture(params=PROXIES, scope="session")
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each proxy in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def gate(
    name: str,
    application: Application,
    vestibule: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gate]:
    """Run a gate with the configuration as it ships."""
    proxy = PROXIES[name](tmp_path_factory.mktemp(name))
    proxy.start(
        shipped(proxy.file),
        {
            VESTIBULE: f"127.0.0.1:{vestibule.port}",
            APPLICATION: f"127.0.0.1:{application.port}",
        },
    )
    yield Gate(proxy, vestibule)
    proxy.stop()


@pytest.fixture(scope="session")
def cookie(gate: Gate) -> str:
    """Return a session that stays open."""
    return gate.sign_in()


@pytest.fixture
def guard(
    name: str, application: Application, tmp_path: Path
) -> Iterator[Guard]:
    """Return a function that puts a proxy before another server."""
    started = []

    def put(server: Server, tls: bool = False, **elsewhere: str) -> Gate:
        """Start the proxy before `server`, as the configuration ships."""
        folder = tmp_path / name
        folder.mkdir()
        proxy = PROXIES[name](folder)
        started.append(proxy)
        if tls:
            proxy.tls = write_certificate(folder)
        proxy.start(
            shipped(proxy.file),
            {
                VESTIBULE: f"127.0.0.1:{server.port}",
                APPLICATION: f"127.0.0.1:{application.port}",
            }
            | elsewhere,
        )
        return Gate(proxy, server)

    yield put
    for proxy in started:
        proxy.stop()

#!/usr/bin/env python3
"""Fixtures: one application and one Vestibule behind each proxy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PASSWORD,
    Application,
    Deployment,
)
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    PROXIES,
    VESTIBULE,
    shipped,
)
from tests.e2e.server.conftest import ADD_USER
from tests.serving import DB_SESSIONS, Server

#: Starts a proxy in front of a server; keyword arguments replace more
#: parts of its configuration.
Deploy = Callable[..., Deployment]


@pytest.fixture(scope="session")
def application() -> Iterator[Application]:
    """Run the application for all tests."""
    running = Application()
    yield running
    running.stop()


@contextmanager
def trusting(folder: Path, **settings: str) -> Iterator[Server]:
    """Run a Vestibule with one user that trusts the proxies."""
    folder.mkdir(exist_ok=True)
    server = Server(
        folder, **{**DB_SESSIONS, **settings}, TRUSTED_PROXIES="127.0.0.1"
    ).start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        yield server
    finally:
        assert server.stop() == 0


@pytest.fixture(scope="session")
def vestibule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the Vestibule of most tests."""
    folder = tmp_path_factory.mktemp("vestibule")
    with trusting(folder, THROTTLE="on") as server:
        yield server


@pytest.fixture
def with_basic(tmp_path: Path) -> Iterator[Server]:
    """Run a Vestibule with HTTP Basic that throttles."""
    folder = tmp_path / "vestibule"
    with trusting(folder, AUTH_TYPE="basic_auth", THROTTLE="on") as server:
        yield server


@pytest.fixture(params=PROXIES, scope="session")
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each proxy in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def deployment(
    name: str,
    application: Application,
    vestibule: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Run a proxy with the configuration as shipped."""
    proxy = PROXIES[name](tmp_path_factory.mktemp(name))
    proxy.start(
        shipped(proxy.file),
        {
            VESTIBULE: f"127.0.0.1:{vestibule.port}",
            APPLICATION: f"127.0.0.1:{application.port}",
        },
    )
    yield Deployment(proxy, vestibule)
    proxy.stop()


@pytest.fixture(scope="session")
def cookie(deployment: Deployment) -> str:
    """Return the id of a session that stays open."""
    return deployment.sign_in()


@pytest.fixture
def deploy(
    name: str, application: Application, tmp_path: Path
) -> Iterator[Deploy]:
    """Return a function that starts a proxy in front of another server."""
    started = []

    def put(server: Server, tls: bool = False, **elsewhere: str) -> Deployment:
        """Start the proxy as shipped in front of `server`."""
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
        return Deployment(proxy, server)

    yield put
    for proxy in started:
        proxy.stop()

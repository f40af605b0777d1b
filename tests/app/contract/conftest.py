#!/usr/bin/env python3
"""Fixtures of the contract tests: servers that the tests of a module share."""

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import delete
from sqlalchemy.engine import make_url

from api.v1.auth.session_auth import SessionAuth
from tests.backends import PostgreSQL
from tests.clocks import SetClock
from tests.conftest import Serve
from tests.serving import Server
from vestibule.db import engine, migrate
from vestibule.db.tables import FAILURES


@pytest.fixture(scope="module")
def shared_servers() -> Iterator[list[Server]]:
    """Return the servers that a module's tests share, and stop them."""
    started: list[Server] = []
    yield started
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(autouse=True)
def no_failures_yet(shared_servers: list[Server]) -> None:
    """Delete the login failures of other tests.

    The servers throttle as usual and count consecutive failures.
    """
    for server in shared_servers:
        database = engine.Database(make_url(server.env["DATABASE_URL"]), 5000)
        with database.transaction() as connection:
            connection.execute(delete(FAILURES))
        database.close()


@pytest.fixture(scope="module")
def serve_shared(
    tmp_path_factory: pytest.TempPathFactory, shared_servers: list[Server]
) -> Serve:
    """Return a function that starts a server for all tests of a module."""

    def start(**given: str) -> Server:
        """Start a server with the settings that are `given`."""
        folder = tmp_path_factory.mktemp("server")
        server = Server(folder, **{"THROTTLE": "on"} | given).start()
        shared_servers.append(server)
        return server

    return start


@pytest.fixture
def serve(serve: Serve) -> Serve:
    """Return a function that starts a server that throttles as usual."""
    return partial(serve, THROTTLE="on")


@pytest.fixture(scope="module")
def fresh_postgresql(postgresql: PostgreSQL) -> dict[str, str]:
    """Return a server's settings for an empty PostgreSQL database."""
    url = postgresql.fresh_url()
    database = engine.Database(make_url(url), 5000)
    migrate.upgrade(database)
    database.close()
    return {"DATABASE_URL": url}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored_in(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return a server's settings for each kind of database, empty yet."""
    if request.param == "sqlite":
        return {}
    found: dict[str, str] = request.getfixturevalue("fresh_postgresql")
    return found


@pytest.fixture
def no_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without sessions in memory, and leave none behind."""
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Replace the product's clock by one that the test moves."""
    return SetClock().install(monkeypatch)

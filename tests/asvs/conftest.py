#!/usr/bin/env python3
"""Servers that the tests of this folder share, one of each kind."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from tests.asvs.breach_list import BreachList
from tests.asvs.service import Service
from tests.e2e.server.server_state import defect_lines
from tests.serving import COOKIE
from vestibule.db.engine import database
from vestibule.db.tables import FAILURES

HOST_COOKIE = "__Host-session"


@pytest.fixture(scope="session")
def breach_list() -> Iterator[BreachList]:
    """Run a stand-in for the service that lists stolen passwords."""
    with BreachList() as listening:
        yield listening


def _running(
    folders: pytest.TempPathFactory, name: str, **settings: str
) -> Iterator[Service]:
    """Run a server in a folder of its own; it must end without alarm."""
    server = Service(folders.mktemp("asvs"), name, **settings)
    server.start()
    yield server
    server.stop()
    assert defect_lines(server) == []


@pytest.fixture(scope="session")
def hardened_server(
    tmp_path_factory: pytest.TempPathFactory, breach_list: BreachList
) -> Iterator[Service]:
    """Run two workers with the hardened profile."""
    yield from _running(
        tmp_path_factory,
        HOST_COOKIE,
        SECURITY_PROFILE="hardened",
        WORKERS="2",
        PASSWORD_BREACH_URL=breach_list.url,
        PASSWORD_CONTEXT_WORDS="holberton",
        MAX_SESSIONS_PER_USER="3",
    )


@pytest.fixture(scope="session")
def contract_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a server as existing clients expect it."""
    yield from _running(tmp_path_factory, COOKIE)


@pytest.fixture(scope="session")
def throttled_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a hardened server that throttles, and takes short passwords."""
    yield from _running(
        tmp_path_factory,
        HOST_COOKIE,
        SECURITY_PROFILE="hardened",
        THROTTLE="on",
        PASSWORD_MIN_LENGTH="8",
    )


def _lent(server: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Put the test on the database of a server."""
    monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
    return server


@pytest.fixture
def hardened(
    hardened_server: Service, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return the hardened server, its database being the test's."""
    return _lent(hardened_server, monkeypatch)


@pytest.fixture
def contract(
    contract_server: Service, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return the server of the contract, its database being the test's."""
    return _lent(contract_server, monkeypatch)


@pytest.fixture
def throttled(
    throttled_server: Service, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return the server that throttles, all failures forgotten."""
    server = _lent(throttled_server, monkeypatch)
    with database().transaction() as connection:
        connection.execute(delete(FAILURES))
    return server

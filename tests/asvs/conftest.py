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
    """Run the stand-in for the service that lists stolen passwords."""
    with BreachList() as listening:
        yield listening


def run_service(
    folders: pytest.TempPathFactory, name: str, **settings: str
) -> Iterator[Service]:
    """Run a server in a folder of its own; it must report no defect."""
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
    yield from run_service(
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
    """Run a server with the settings that existing clients expect."""
    yield from run_service(tmp_path_factory, COOKIE)


@pytest.fixture(scope="session")
def throttled_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a hardened server that throttles and accepts short passwords."""
    yield from run_service(
        tmp_path_factory,
        HOST_COOKIE,
        SECURITY_PROFILE="hardened",
        THROTTLE="on",
        PASSWORD_MIN_LENGTH="8",
    )


def use_database(server: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Let the test process use the database of a server."""
    monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
    return server


@pytest.fixture
def hardened(
    hardened_server: Service, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return the hardened server; the test uses its database."""
    return use_database(hardened_server, monkeypatch)


@pytest.fixture
def contract(
    contract_server: Service, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return the server with contract settings; the test uses its database."""
    return use_database(contract_server, monkeypatch)


@pytest.fixture
def throttled(
    throttled_server: Service, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return the server that throttles, without any failures."""
    server = use_database(throttled_server, monkeypatch)
    with database().transaction() as connection:
        connection.execute(delete(FAILURES))
    return server

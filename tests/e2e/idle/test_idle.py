#!/usr/bin/env python3
"""Servers that are left alone for longer than any timer waits.

The threads of granian end after 5 to 600 idle seconds where they end at
all, and a proxy keeps an idle connection for 60 to 75 seconds. The tests
build on each other: between two of them the servers get no request.
"""

from collections.abc import Iterator

import pytest

from tests.backends import PostgreSQL
from tests.e2e.idle.quiet import SHORT_LIVED_THREADS, QuietServer

pytestmark = [pytest.mark.idle, pytest.mark.timeout(900)]

#: Mechanism, kind of database, number of workers, and what is run.
SERVERS = (
    ("auth", "sqlite", 1, None),
    ("basic_auth", "sqlite", 1, None),
    ("session_auth", "sqlite", 1, None),
    ("session_exp_auth", "sqlite", 1, None),
    ("session_exp_auth", "postgresql", 1, None),
    ("session_db_auth", "sqlite", 2, None),
    ("session_db_auth", "postgresql", 2, None),
    ("session_exp_auth", "sqlite", 1, SHORT_LIVED_THREADS),
    ("session_db_auth", "postgresql", 1, SHORT_LIVED_THREADS),
)


@pytest.fixture(scope="module")
def servers(
    postgresql: PostgreSQL,
    pattern: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[QuietServer]]:
    """Run all servers; each has answered bursts."""
    started: list[QuietServer] = []
    try:
        for mechanism, kind, workers, program in SERVERS:
            folder = tmp_path_factory.mktemp("quiet")
            url = (
                postgresql.fresh_url(pattern)
                if kind == "postgresql"
                else f"sqlite:///{folder}/vestibule.db"
            )
            started.append(
                QuietServer(folder, mechanism, url, workers, program)
            )
        for each in started:
            each.hold_slow_clients()
            each.busy()
        yield started
    finally:
        for each in started:
            each.close()


@pytest.mark.parametrize("seconds", [31, 61, 601])
def test_an_idle_server_keeps_its_workers_and_sessions(
    servers: list[QuietServer], seconds: int
) -> None:
    """The same processes answer as before, with the same sessions."""
    faults = []
    for each in servers:
        each.rest(seconds)
        faults += each.faults()
        each.busy()
    assert faults == []


def test_a_server_that_was_idle_ends_with_code_0(
    servers: list[QuietServer],
) -> None:
    """SIGTERM ends it without a crash, and what happened last is stored."""
    faults = []
    for each in servers:
        each.rest(7)
        faults += each.end()
    assert faults == []

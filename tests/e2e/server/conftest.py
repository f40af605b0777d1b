#!/usr/bin/env python3
"""Fixtures: two servers with one user, shared by tests that write nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.server.server_state import defect_lines, has_signed_in, rows_of
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, DB_SESSIONS, Server

EMAIL = "bob@hbtn.io"
PASSWORD = "H0lbertonSchool98!"
NOT_FOUND = (404, {"error": "Not found"})
ADD_USER = """
import sys
from models.user import User
user = User(email=sys.argv[1])
user.password = sys.argv[2]
user.save()
print(user.id)
"""


@dataclass(frozen=True)
class SharedServers:
    """Two servers on one database: with sessions and with Basic auth."""

    folder: Path
    session: Server
    basic: Server
    user_id: str
    session_id: str

    @property
    def cookie(self) -> bytes:
        """Return the header line with the session cookie of the user."""
        return f"Cookie: {COOKIE}={self.session_id}".encode()


@pytest.fixture(scope="session")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SharedServers]:
    """Run servers with one user for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("servers")
    # No use of the session may be stored while the tests compare rows.
    session = Server(
        folder, **DB_SESSIONS, SESSION_TOUCH_INTERVAL="86400"
    ).start()
    basic = Server(folder, AUTH_TYPE="basic_auth").start()
    user_id = session.run(ADD_USER, EMAIL, PASSWORD).strip()
    session_id = session.login(EMAIL, PASSWORD)
    # The sign-in time is written after the response; wait for it, because
    # the tests compare all rows.
    assert wait_until(30, lambda: has_signed_in(folder))
    yield SharedServers(folder, session, basic, user_id, session_id)
    for server in (session, basic):
        assert server.stop() == 0
        assert defect_lines(server) == []


@pytest.fixture
def untouched(servers: SharedServers) -> Iterator[None]:
    """Fail the test if it changes a row or a server reports a defect."""
    before = rows_of(servers.folder)
    yield
    assert rows_of(servers.folder) == before
    for server in (servers.session, servers.basic):
        assert defect_lines(server) == []
        assert server.request("GET", "/api/v1/status").status_code == 200

#!/usr/bin/env python3
"""Fixtures: a house that has been lived in, and stays as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.server.server_state import defect_lines, has_signed_in, rows_of
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, Server

EMAIL = "bob@hbtn.io"
PASSWORD = "H0lbertonSchool98!"
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
    """Two servers on one database: by session and by Basic credentials."""

    folder: Path
    sessions: Server
    basic: Server
    user_id: str
    session_id: str

    @property
    def cookie(self) -> bytes:
        """Return the header line that has the session of its user."""
        return f"Cookie: {COOKIE}={self.session_id}".encode()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServers]:
    """Run a house with one user for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("house")
    sessions = Server(
        folder, AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE
    ).start()
    basic = Server(folder, AUTH_TYPE="basic_auth").start()
    user_id = sessions.run(ADD_USER, EMAIL, PASSWORD).strip()
    session_id = sessions.login(EMAIL, PASSWORD)
    # It is noted soon after the answer, and nothing else may change.
    assert wait_until(30, lambda: has_signed_in(folder))
    yield SharedServers(folder, sessions, basic, user_id, session_id)
    for server in (sessions, basic):
        assert server.stop() == 0
        assert defect_lines(server) == []


@pytest.fixture
def untouched(house: SharedServers) -> Iterator[None]:
    """Fail the test that changes a row, or makes a server complain."""
    before = rows_of(house.folder)
    yield
    assert rows_of(house.folder) == before
    for server in (house.sessions, house.basic):
        assert defect_lines(server) == []
        assert server.request("GET", "/api/v1/status").status_code == 200

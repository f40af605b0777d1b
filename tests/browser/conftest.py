#!/usr/bin/env python3
"""Fixtures: servers that have pages, and people in a browser."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.scenes import PASSWORD, enter
from tests.browser.town import Town, inhabited
from tests.browser.visitor import Visitor
from tests.clocks import FileClock
from tests.e2e.server.server_state import defect_lines
from tests.serving import COOKIE, ClockedServer, Server
from vestibule.accounts.users import set_role
from vestibule.db.models.user import User

PAGES = {
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": COOKIE,
    "SESSION_DURATION": "43200",
    "WEB_PAGES": "on",
}

Visit = Callable[..., Visitor]
Open = Callable[..., Server]


@pytest.fixture(scope="session")
def shared_house(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """Run a server with pages for the tests that need no own."""
    server = Server(
        tmp_path_factory.mktemp("house"), **PAGES, REGISTRATION="open"
    ).start()
    yield server
    assert server.stop() == 0
    assert defect_lines(server) == []


@pytest.fixture
def house(shared_house: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the shared server, its database being the test's."""
    monkeypatch.setenv("DATABASE_URL", shared_house.env["DATABASE_URL"])
    return shared_house


@pytest.fixture
def open_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Return a function that runs a server with pages, for this test.

    Its database is the test's.
    """
    opened: list[Server] = []

    def start(
        server: Callable[..., Server] = Server, **settings: str
    ) -> Server:
        """Start a server with these settings more, or others."""
        started = server(tmp_path, **PAGES | settings).start()
        monkeypatch.setenv("DATABASE_URL", started.env["DATABASE_URL"])
        opened.append(started)
        return started

    yield start
    for server in opened:
        assert server.stop() == 0
        assert defect_lines(server) == []


@pytest.fixture(scope="session")
def shared_town(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Town]:
    """Run a server with many people and one admin."""
    folder = tmp_path_factory.mktemp("town")
    with inhabited(folder, PAGES | {"THROTTLE": "on"}) as town:
        yield town
        assert defect_lines(town.server) == []


@pytest.fixture
def town(shared_town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Return the town that is looked at, its database being the test's."""
    monkeypatch.setenv("DATABASE_URL", shared_town.server.env["DATABASE_URL"])
    return shared_town


@pytest.fixture
def stopped(tmp_path: Path) -> Callable[..., Server]:
    """Return what makes a server whose clock stands still.

    On a busy machine the wait after a failure is over before the next try.
    """
    return partial(ClockedServer, clock=FileClock(tmp_path / "clock"))


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Return a function that opens a browser; each is looked at again."""
    visitors: list[Visitor] = []

    def come(server: Server, **options: Any) -> Visitor:
        """Open a browser of these options for a server's pages."""
        visitors.append(Visitor(chromium, server.url, **options))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def bob(house: Server) -> User:
    """Return a user of the shared house who is no other test's."""
    return settle(f"bob-{os.urandom(4).hex()}@example.com")


@pytest.fixture
def chief(house: Server) -> User:
    """Return an admin of the shared house, who is not the only one."""
    admin = settle(
        f"chief-{os.urandom(4).hex()}@example.com", first_name="Ada"
    )
    set_role(admin, "admin")
    return admin


@pytest.fixture(params=[True, False], ids=["script", "none"])
def desk(
    request: pytest.FixtureRequest, house: Server, visit: Visit, chief: User
) -> Visitor:
    """Return the browser of an admin, with scripts and without."""
    visitor = visit(house, java_script_enabled=request.param)
    enter(visitor, chief)
    return visitor


def settle(email: str, **names: str) -> User:
    """Store a user with the one password in the test's database."""
    user = User(email=email, **names)
    user.password = PASSWORD
    user.save()
    return user

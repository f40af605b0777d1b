#!/usr/bin/env python3
"""A real server writes audit events into its database."""

import pytest

from tests.conftest import Serve
from tests.e2e.server.accounts import PASSWORD, Account, account
from tests.serving import DB_SESSIONS, LOGOUT, ME, Server
from vestibule.db.events import Event, EventFilter, fetch_page


@pytest.fixture
def server(serve: Serve) -> Server:
    """Run a server with sessions in the test's database."""
    return serve(**DB_SESSIONS)


@pytest.fixture
def bob(server: Server) -> Account:
    """Return a user of the server."""
    return account()


def events_of(user_id: str) -> list[Event]:
    """Return the events of a user, newest first."""
    return fetch_page(EventFilter(user_id=user_id), 100).events


def test_pending_events_are_written_at_shutdown(
    server: Server, bob: Account
) -> None:
    """A server that ends writes queued events and summed refusals."""
    for _ in range(5):
        assert server.request("GET", ME, "no session").status_code == 403
    session_id = server.login(bob.email, PASSWORD)
    server.request("DELETE", LOGOUT, session_id)
    assert server.stop() == 0
    assert [one.kind for one in events_of(bob.id)] == ["logout", "login"]
    refused = fetch_page(EventFilter(kind="session_refused"), 10).events
    assert [one.times for one in refused] == [4, 1]

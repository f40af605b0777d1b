#!/usr/bin/env python3
"""A real server writes audit events into its database."""

import time
from datetime import datetime, timezone

import pytest

from tests.conftest import Serve
from tests.e2e.server.accounts import PASSWORD, Account, account
from tests.e2e.server.waiting import wait_until
from tests.serving import DB_SESSIONS, LOGOUT, ME, Server
from vestibule.db import engine
from vestibule.db.events import Event, EventFilter, fetch_page, insert_events


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


def test_login_is_stored_with_client(server: Server, bob: Account) -> None:
    """The event has the client's address and program, but no secret."""
    session_id = server.login(bob.email, PASSWORD)
    assert wait_until(10, lambda: bool(events_of(bob.id)))
    (kept,) = events_of(bob.id)
    assert (kept.kind, kept.ip) == ("login", "127.0.0.1")
    assert str(kept.user_agent).startswith("python-requests/")
    assert session_id not in repr(kept)


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


def test_responses_do_not_wait_for_event_writes(
    server: Server, bob: Account
) -> None:
    """Refusals return while another program holds the write lock; the events
    are written afterwards.
    """
    with engine.database().transaction():
        before = time.monotonic()
        for _ in range(5):
            assert server.request("GET", ME, "x").status_code == 403
        assert time.monotonic() - before < 4
    assert wait_until(
        10,
        lambda: bool(
            fetch_page(EventFilter(kind="session_refused"), 10).events
        ),
    )
    assert len(fetch_page(EventFilter(), 10).events) == 1


def test_sweeper_deletes_old_events(serve: Serve) -> None:
    """The sweeper runs under any mechanism, also without one."""
    server = serve(SESSION_PURGE_INTERVAL="1")
    old = datetime(2001, 1, 1, tzinfo=timezone.utc)
    insert_events([Event(old, "login"), Event(old, "logout")])
    server.request("GET", "/api/v1/status")
    assert wait_until(10, lambda: fetch_page(EventFilter(), 10) == ([], None))

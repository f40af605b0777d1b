#!/usr/bin/env python3
"""What happened on a real server is in its database."""

import time
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from tests.conftest import Serve
from tests.e2e.server.accounts import PASSWORD, Account, account
from tests.serving import Server
from vestibule.db import engine
from vestibule.db.events import Event, EventFilter, fetch_page, insert_events

ME = "/api/v1/users/me"
LOGOUT = "/api/v1/auth_session/logout"


@pytest.fixture
def server(serve: Serve) -> Server:
    """Return a server with sessions in the test's database."""
    return serve(AUTH_TYPE="session_db_auth", SESSION_NAME="_my_session_id")


@pytest.fixture
def bob(server: Server) -> Account:
    """Return a user who is stored there."""
    return account()


def _soon(found: Callable[[], bool]) -> bool:
    """Tell whether it comes true within seconds."""
    give_up = time.monotonic() + 10
    while not found():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def _of(user_id: str) -> list[Event]:
    """Return the events of a user, newest first."""
    return fetch_page(EventFilter(user_id=user_id), 100).events


def test_a_login_is_there_soon(server: Server, bob: Account) -> None:
    """With the address and the program of the client, but no secret."""
    session_id = server.login(bob.email, PASSWORD)
    assert _soon(lambda: bool(_of(bob.id)))
    (kept,) = _of(bob.id)
    assert (kept.kind, kept.ip) == ("login", "127.0.0.1")
    assert str(kept.user_agent).startswith("python-requests/")
    assert session_id not in repr(kept)


def test_what_happened_last_is_kept_when_it_ends(
    server: Server, bob: Account
) -> None:
    """A server that is told to end writes what waits, and its sums."""
    for _ in range(5):
        assert server.request("GET", ME, "no session").status_code == 403
    session_id = server.login(bob.email, PASSWORD)
    server.request("DELETE", LOGOUT, session_id)
    assert server.stop() == 0
    assert [one.kind for one in _of(bob.id)] == ["logout", "login"]
    refused = fetch_page(EventFilter(kind="session_refused"), 10).events
    assert [one.times for one in refused] == [4, 1]


def test_answers_do_not_wait_for_it(server: Server, bob: Account) -> None:
    """While another program holds the write lock, refusals come at once.

    It is written when that lets go.
    """
    with engine.database().transaction():
        before = time.monotonic()
        for _ in range(5):
            assert server.request("GET", ME, "x").status_code == 403
        assert time.monotonic() - before < 4
    assert _soon(
        lambda: bool(
            fetch_page(EventFilter(kind="session_refused"), 10).events
        )
    )
    assert len(fetch_page(EventFilter(), 10).events) == 1


def test_old_events_go_by_themselves(serve: Serve) -> None:
    """The sweeper drops them, under any mechanism, also without one."""
    server = serve(SESSION_PURGE_INTERVAL="1")
    old = datetime(2001, 1, 1, tzinfo=timezone.utc)
    insert_events([Event(old, "login"), Event(old, "logout")])
    server.request("GET", "/api/v1/status")
    assert _soon(lambda: fetch_page(EventFilter(), 10) == ([], None))

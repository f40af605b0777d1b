#!/usr/bin/env python3
"""Fixtures: every session mechanism, on every store that it can have."""

from collections.abc import Callable, Iterator

import pytest

from tests.serving import COOKIE
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.mechanisms.session_exp_auth import SessionExpAuth

Make = Callable[..., SessionAuth]


@pytest.fixture(autouse=True)
def no_sessions_in_memory() -> Iterator[None]:
    """Empty the dictionary that all mechanisms share after the test."""
    memory = SessionAuth._memory
    for kept in (
        SessionAuth.user_id_by_session_id,
        memory.records,
        memory.by_user,
        memory.users_by_number,
    ):
        kept.clear()
    memory.ended.clear()
    yield
    SessionAuth.user_id_by_session_id.clear()


def _maker(
    mechanism: type[SessionAuth], monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Return a function that makes a `mechanism` with a duration."""
    monkeypatch.setenv("SESSION_NAME", COOKIE)

    def make(duration: object = None) -> SessionAuth:
        """Make the mechanism with this `SESSION_DURATION`."""
        if duration is not None:
            monkeypatch.setenv("SESSION_DURATION", str(duration))
        return mechanism()

    return make


def _choose_database(request: pytest.FixtureRequest) -> None:
    """Use a fresh database of the parameter's kind."""
    kind = request.param.partition("-")[2] or "sqlite"
    request.getfixturevalue(f"on_{kind}")


@pytest.fixture(
    params=[
        "session_auth",
        "session_exp_auth",
        "session_db_auth-sqlite",
        "session_db_auth-postgresql",
        "session_db_auth-pgbouncer",
        "session_db_auth-pooled_schema",
    ]
)
def mechanism(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Run the test with each session mechanism; return its maker."""
    classes: dict[str, type[SessionAuth]] = {
        "session_auth": SessionAuth,
        "session_exp_auth": SessionExpAuth,
        "session_db_auth": SessionDBAuth,
    }
    _choose_database(request)
    return _maker(classes[request.param.split("-")[0]], monkeypatch)


@pytest.fixture(
    params=[
        "session_exp_auth",
        "session_db_auth-sqlite",
        "session_db_auth-postgresql",
    ]
)
def expiring(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Run the test with each mechanism that ends sessions."""
    _choose_database(request)
    in_memory = request.param == "session_exp_auth"
    return _maker(SessionExpAuth if in_memory else SessionDBAuth, monkeypatch)


def begin(make: Make, user_id: str = "abcde") -> str:
    """Begin a session as a script does; return its secret id."""
    session_id = make().create_session(user_id)
    assert session_id is not None
    return session_id


def handle_of(make: Make, session_id: str) -> str:
    """Return the public handle of a session."""
    session = make().store.find(session_id)
    assert session is not None
    return session.id

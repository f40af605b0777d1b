#!/usr/bin/env python3
"""A login concurrent with a change that ends all sessions, on PostgreSQL."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.stored_codes import new_code
from vestibule.accounts.authentication import is_still_valid
from vestibule.core import clock
from vestibule.db import codes, session_queries, user_status
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason

pytestmark = pytest.mark.slow


def _change(user: User) -> None:
    """Change the password."""
    user.replace_password("another hash", EndReason.PASSWORD_CHANGED)


def _reset(user: User) -> None:
    """Set the password by a code."""
    now = clock.now()
    codes.replace_reset_code(user.id, new_code("digest"))
    assert codes.redeem_reset_code(
        user.id, "digest", "another hash", now, EndReason.PASSWORD_RESET
    )


def _disable(user: User) -> None:
    """Disable the user."""
    user_status.disable(user.id, clock.now(), EndReason.USER_DISABLED)


class Login:
    """The second half of a login, after its password was checked."""

    def __init__(self, user: User) -> None:
        """Prepare the login of `user`."""
        self._user = user
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.holds: bool | None = None

    def start(self, connection: Connection) -> None:
        """Run until it ends or waits for a lock of `connection`."""
        waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
        self._thread.start()
        for _ in range(3000):
            if self._done.wait(0.01) or connection.execute(waiting).first():
                return
        raise AssertionError("the login neither ended nor waits")

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join(30)
        assert self._done.is_set()

    def _run(self) -> None:
        """Begin a session, and check the user again."""
        SessionDBAuth().create_session(self._user.id)
        self.holds = is_still_valid(self._user)
        self._done.set()


@pytest.fixture
def user(on_postgresql: str) -> User:
    """Return a stored user."""
    user = User(email="bob@example.com")
    user.set_hash("a hash")
    user.save()
    return user


@pytest.fixture
def login(user: User, monkeypatch: pytest.MonkeyPatch) -> Login:
    """Let a login come when all sessions have ended, before the commit."""
    found = User.get(user.id)
    assert found is not None
    login, end = Login(found), session_queries.delete_for_user_in_transaction

    def then_log_in(connection: Connection, *given: Any) -> int:
        """End the sessions, and let the login run until it waits."""
        ended = end(connection, *given)
        login.start(connection)
        return ended

    monkeypatch.setattr(
        session_queries, "delete_for_user_in_transaction", then_log_in
    )
    return login


@pytest.mark.parametrize(
    "act", [_change, _reset, _disable, user_status.remove]
)
def test_login_waits_for_an_uncommitted_change(
    user: User, login: Login, act: Callable[[User], None]
) -> None:
    """A login gives up the session that the change could not see."""
    act(user)
    login.join()
    assert login.holds is False


def test_rolled_back_change_ends_no_login(user: User, login: Login) -> None:
    """A change that failed in the end leaves the password as it was."""
    statement = text("UPDATE users SET password = 'another hash'")
    with pytest.raises(KeyError), database().transaction() as connection:
        connection.execute(statement)
        session_queries.delete_for_user_in_transaction(
            connection, user.id, EndReason.PASSWORD_CHANGED
        )
        raise KeyError
    login.join()
    assert login.holds is True

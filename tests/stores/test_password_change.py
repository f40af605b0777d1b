#!/usr/bin/env python3
"""A password change and the sessions of the user, on every database."""

import pytest

from tests.threads import at_once
from vestibule.accounts.credentials import change_password
from vestibule.accounts.permissions import LOCAL
from vestibule.core.errors import WrongPassword
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason

OLD, NEW = "violet umbrella", "seven kites above"


@pytest.fixture
def user(any_database: str) -> User:
    """Return a stored user with the old password."""
    user = User(email="bob@example.com")
    user.password = OLD
    user.save()
    return user


def test_password_change_ends_all_but_the_rotated_session(user: User) -> None:
    """Each session keeps the reason; a session of a script ends as well."""
    auth = SessionDBAuth()
    mine, other = (auth.create_session(user.id) for _ in range(2))
    assert mine is not None and other is not None
    UserSession(user_id=user.id).save()
    stranger = auth.create_session("another user")
    renewed = change_password(user, OLD, NEW, auth.store, mine, actor=LOCAL)
    assert renewed is not None
    assert auth.user_id_for_session_id(renewed) == user.id
    assert UserSession.count() == 2
    assert auth.user_id_for_session_id(stranger) == "another user"
    assert auth.store.reason(mine) is EndReason.ROTATED
    assert auth.store.reason(other) is EndReason.PASSWORD_CHANGED


@pytest.mark.slow
@pytest.mark.parametrize("session_id", [None, "unknown"])
def test_password_change_without_a_session_rotates_none(
    user: User, session_id: str | None
) -> None:
    """All end, and no new id is made."""
    auth = SessionDBAuth()
    other = auth.create_session(user.id)
    store = auth.store
    assert (
        change_password(user, OLD, NEW, store, session_id, actor=LOCAL) is None
    )
    assert auth.user_id_for_session_id(other) is None
    stored = User.get(user.id)
    assert stored is not None and stored.is_valid_password(NEW)


def test_concurrent_password_changes_succeed_once(user: User) -> None:
    """The other one is refused, and its session has ended."""
    auth = SessionDBAuth()
    ids = [auth.create_session(user.id) for _ in range(2)]
    users = [User.get(user.id) for _ in range(2)]

    def change(number: int) -> str | None:
        """Change to the password of this number."""
        mine = users[number]
        assert mine is not None
        try:
            return change_password(
                mine,
                OLD,
                f"{NEW} {number}",
                auth.store,
                ids[number],
                actor=LOCAL,
            )
        except WrongPassword:
            return None

    (renewed,) = (one for one in at_once(2, change) if one is not None)
    assert auth.user_id_for_session_id(renewed) == user.id
    assert UserSession.count() == 1

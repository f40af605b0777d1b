#!/usr/bin/env python3
"""Roles and disabled users on every database: one admin always remains."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clocks import SetClock
from tests.statements import count_write_transactions, recorded
from tests.stored_codes import new_code
from tests.threads import at_once
from vestibule.accounts import users
from vestibule.accounts.credentials import change_password
from vestibule.accounts.permissions import LOCAL, is_disabled
from vestibule.accounts.recovery import issue_code, set_forgotten_password
from vestibule.accounts.users import disable, enable, set_role
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.core.errors import InvalidValue, LastAdmin, RecordGone
from vestibule.db import codes, session_queries, user_status
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import RESET_CODES
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.store import SessionStore

#: The ways to lose an admin.
WAYS_TO_REMOVE: dict[str, Callable[[User], None]] = {
    "demote": lambda user: set_role(user, "member"),
    "disable": disable,
    "remove": users.remove,
}


#: Changes of a user; all but one end the user's sessions.
CHANGES: dict[str, Callable[[User, str, SessionStore], object]] = {
    "demote": lambda user, code, store: set_role(user, "member"),
    "disable": lambda user, code, store: disable(user, store),
    "enable": lambda user, code, store: enable(user, store),
    "remove": lambda user, code, store: users.remove(user, store),
    "reset": lambda user, code, store: set_forgotten_password(
        str(user.email), code, "violet umbrella", store, actor=LOCAL
    ),
    "change password": lambda user, code, store: change_password(
        user, "correct horse", "violet umbrella", store, "gone", actor=LOCAL
    ),
}


def stored(role: str = "admin", **given: Any) -> User:
    """Store and return a user with this role."""
    user = User(**given)
    user.role = role
    user.save()
    return user


def again(user: User) -> User:
    """Return the user as it is stored now."""
    found = User.get(user.id)
    assert found is not None
    return found


@pytest.fixture(params=sorted(WAYS_TO_REMOVE))
def remove_admin(request: pytest.FixtureRequest) -> Callable[[User], None]:
    """Run the test with each way to lose an admin."""
    return WAYS_TO_REMOVE[request.param]


def test_role_is_stored(any_database: str) -> None:
    """A new user is a member; `to_json` does not have the role."""
    user = User()
    user.save()
    assert again(user).role == "member"
    set_role(user, Role.ADMIN)
    assert user.role == again(user).role == "admin"
    assert set(user.to_json()) == {
        "created_at",
        "email",
        "first_name",
        "id",
        "last_name",
        "updated_at",
    }


@pytest.mark.parametrize("role", ["", "Admin", "owner", None, 1, ["admin"]])
def test_unknown_role_is_refused(any_database: str, role: Any) -> None:
    """By the service and by the model itself."""
    user = stored("member")
    with pytest.raises(InvalidValue, match="role must be one of member, a"):
        set_role(user, role)
    user.role = role
    for save in (user.save, user.save_changes):
        with pytest.raises(InvalidValue, match="role"):
            save()
    assert again(user).role == "member"


def test_last_admin_cannot_be_removed(
    any_database: str, remove_admin: Callable[[User], None]
) -> None:
    """One of two may go; then the other one may not."""
    stored("member")
    one, two = stored(), stored()
    UserSession(user_id=two.id, session_id="s").save()
    codes.replace_reset_code(two.id, new_code("d"))
    remove_admin(one)
    with pytest.raises(LastAdmin):
        remove_admin(two)
    assert (again(two).role, again(two).disabled_at) == ("admin", None)
    assert UserSession.count() == 1


def test_disabled_admin_does_not_count_as_admin(
    any_database: str, remove_admin: Callable[[User], None]
) -> None:
    """A disabled admin can manage no users, and may be removed at any time."""
    one, two = stored(), stored()
    disable(one)
    with pytest.raises(LastAdmin):
        remove_admin(two)
    remove_admin(one)


def test_members_can_be_removed_without_an_admin(
    any_database: str, remove_admin: Callable[[User], None]
) -> None:
    """Without an admin any member can be disabled or removed."""
    remove_admin(stored("member"))


@pytest.mark.parametrize("count", [2, 6])
def test_concurrent_removals_leave_one_admin(
    any_database: str, remove_admin: Callable[[User], None], count: int
) -> None:
    """However many begin at once, exactly one is refused."""
    admins = [stored() for _ in range(count)]

    def run(number: int) -> bool:
        """Remove the other admin; return True if it worked."""
        try:
            remove_admin(admins[(number + 1) % count])
        except LastAdmin:
            return False
        return True

    assert at_once(count, run).count(False) == 1
    left = [
        user
        for user in User.all()
        if user.role == "admin" and not is_disabled(user)
    ]
    assert len(left) == 1


def test_disabling_ends_all_sessions_of_the_user(any_database: str) -> None:
    """They keep the reason; those of others stay."""
    user, other = stored("member"), stored("member")
    for number in range(3):
        UserSession(user_id=user.id, session_id=f"s{number}").save()
    UserSession(user_id=other.id, session_id="other").save()
    disable(user)
    assert [s.user_id for s in UserSession.all()] == [other.id]
    for number in range(3):
        since = user.created_at
        assert session_queries.end_reason(digest_of(f"s{number}"), since) == (
            "user_disabled"
        )


@pytest.mark.slow
@pytest.mark.parametrize("in_database", [True, False])
@pytest.mark.parametrize("change", sorted(CHANGES))
def test_change_of_a_user_is_one_write_transaction(
    any_database: str, change: str, in_database: bool
) -> None:
    """The sessions end in it, or in the memory of the process after it."""
    user, secret = stored("member", email="bob@example.com"), "secret"
    user.password = "correct horse"
    user.save()
    code = issue_code(user).code
    memory = SessionAuth()
    store = DatabaseStore() if in_database else memory.store
    if in_database:
        UserSession(user_id=user.id, session_id=secret).save()
    else:
        secret = str(memory.create_session(user.id))
    with recorded() as statements:
        CHANGES[change](user, code, store)
    assert count_write_transactions(statements) == 1
    assert (store.find(secret) is None) is (change != "demote")


def test_first_disabling_sets_the_date(
    any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first moment counts until the user is enabled."""
    set_clock = SetClock().install(monkeypatch)
    user, since = stored("member"), set_clock.moment
    disable(user)
    set_clock.advance(5)
    disable(user)
    assert again(user).disabled_at == since
    UserSession(user_id=user.id, session_id="of a slow login").save()
    enable(user)
    assert again(user).disabled_at is None
    assert UserSession.count() == 0


def test_script_can_disable_on_the_model(any_database: str) -> None:
    """A moment where there was none is a change like any other."""
    user = stored("member")
    for since in (clock.now(), None, clock.now()):
        user.disabled_at = since
        user.save()
        assert again(user).disabled_at == since
    loaded = again(user)
    loaded.save_changes()
    assert again(user).disabled_at == user.disabled_at


def test_removed_user_stays_removed(any_database: str) -> None:
    """No change brings a user back."""
    user = stored("member")
    user.remove()
    with pytest.raises(RecordGone):
        user_status.set_role(user.id, Role.ADMIN)
    for change in (disable, enable):
        with pytest.raises(RecordGone):
            change(user)
    users.remove(user)
    assert User.count() == 0


def test_removal_keeps_reasons_and_deletes_the_code(any_database: str) -> None:
    """Sessions keep why they ended, and the reset code is deleted."""
    gone, stays = stored("member"), stored("member")
    for user in (gone, stays):
        UserSession(user_id=user.id, session_id=user.id).save()
        codes.replace_reset_code(user.id, new_code(digest_of(user.id)))
    gone.remove()
    since = gone.created_at
    assert (
        session_queries.end_reason(digest_of(gone.id), since) == "user_removed"
    )
    assert session_queries.end_reason(digest_of(stays.id), since) is None
    left = database().fetch_all(RESET_CODES.select())
    assert [code.user_id for code in left] == [stays.id]

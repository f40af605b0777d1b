#!/usr/bin/env python3
"""Users and sessions in a database, as scripts use them, on each kind."""

import uuid
from datetime import datetime, timedelta, timezone

import pytest

from models.base import Base
from models.user import User
from models.user_session import UserSession
from vestibule.core import clock

pytestmark = pytest.mark.usefixtures("any_database")

MOMENT = datetime(2026, 3, 1, 12, 30, 59, tzinfo=timezone.utc)


def stored(model: type[Base], **attributes: object) -> Base:
    """Return a new, saved object of `model`."""
    made = model(**attributes)
    made.save()
    return made


def test_empty_database_returns_nothing() -> None:
    """Results are empty lists, zero or `None`, never an exception."""
    for model in (User, UserSession):
        assert model.search() == []
        assert model.search({}) == []
        assert model.search({"id": "unknown"}) == []
        assert model.all() == []
        assert model.count() == 0
        assert model.get("unknown") is None
        assert model.get(None) is None
        assert model.get() is None
    assert User.search({"email": "bob@hbtn.io"}) == []
    assert UserSession.search({"session_id": "unknown"}) == []


def test_save_inserts_then_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later saves update the same row and its time."""
    monkeypatch.setattr(clock, "now", lambda: MOMENT)
    user = User(email="bob@hbtn.io", first_name="Bob")
    assert User.get(user.id) is None
    user.save()
    later = MOMENT + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    user.first_name = "Robert"
    user.save()
    assert User.count() == 1
    found = User.get(user.id)
    assert found == user
    assert found is not None
    assert found is not user
    assert found.first_name == "Robert"
    assert found.created_at == MOMENT
    assert found.updated_at == user.updated_at == later
    assert found.to_json() == {
        "created_at": "2026-03-01 12:30:59",
        "email": "bob@hbtn.io",
        "first_name": "Robert",
        "id": user.id,
        "last_name": None,
        "updated_at": "2026-03-01 13:30:59",
    }
    found.last_name = "Dylan"
    found.save()
    assert [u.last_name for u in User.all()] == ["Dylan"]


def test_remove_deletes_only_that_object() -> None:
    """Removing an object that is not stored changes nothing."""
    kept, gone = stored(User), stored(User)
    User().remove()
    assert User.count() == 2
    gone.remove()
    gone.remove()
    assert User.all() == [kept]
    assert User.get(gone.id) is None
    session = stored(UserSession, user_id="abcde", session_id="one")
    session.remove()
    assert UserSession.count() == 0


def test_search_matches_all_given_values() -> None:
    """Without values it returns all objects."""
    bob = stored(User, email="bob@hbtn.io", first_name="Bob")
    bobby = stored(User, email="bobby@hbtn.io", first_name="Bob")
    ann = stored(User, email="ann@hbtn.io", last_name="Lee")
    assert User.search({"first_name": "Bob"}) == [bob, bobby]
    assert User.search({"first_name": "Bob", "email": ann}) == []
    assert User.search({"first_name": "Bob", "email": "bob@hbtn.io"}) == [bob]
    assert User.search({"first_name": "Bob", "last_name": "Lee"}) == []
    assert User.search({"first_name": None}) == [ann]
    assert User.search({"first_name": "bob"}) == []
    assert User.search({"id": ann.id}) == [ann]
    assert User.search({"email": 89}) == []
    assert User.search({}) == User.search() == User.all() == [bob, bobby, ann]
    assert User.count() == 3


def test_sessions_are_found_by_user_or_session_id() -> None:
    """Both ids together must match."""
    first = stored(UserSession, user_id="abcde", session_id="one")
    second = stored(UserSession, user_id="abcde", session_id="two")
    third = stored(UserSession, user_id="fghij", session_id="three")
    assert UserSession.search({"user_id": "abcde"}) == [first, second]
    assert UserSession.search({"session_id": "three"}) == [third]
    assert (
        UserSession.search({"session_id": "three", "user_id": "abcde"}) == []
    )
    assert UserSession.get(second.id) == second
    assert UserSession.count() == 3


def test_users_may_lack_all_attributes() -> None:
    """Several users may have no email, names and password."""
    for _ in range(3):
        User().save()
    assert [user.email for user in User.all()] == [None, None, None]
    assert not any(u.is_valid_password("") for u in User.all())


def test_models_accept_any_text_as_email() -> None:
    """The models accept text that is no address, such as a UUID."""
    email = str(uuid.uuid4())
    user = stored(User, email=email)
    assert User.search({"email": email}) == [user]


def test_stored_password_is_checked() -> None:
    """A loaded user checks passwords like the one in memory."""
    user = User(email="bob@hbtn.io")
    user.password = "fake pwd"
    user.save()
    found = User.get(user.id)
    assert found is not None
    assert found.is_valid_password("fake pwd") is True
    assert found.is_valid_password("other") is False
    assert "fake pwd" not in repr(vars(found))


def test_removing_user_ends_own_sessions_only() -> None:
    """Sessions of other users stay."""
    user = stored(User)
    stored(UserSession, user_id=user.id, session_id="one")
    stored(UserSession, user_id=user.id, session_id="two")
    other = stored(UserSession, user_id="abcde", session_id="three")
    user.remove()
    assert UserSession.all() == [other]

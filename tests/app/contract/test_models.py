#!/usr/bin/env python3
"""Users and sessions as objects in memory, as scripts use them."""

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from models.base import Base
from models.user import User
from models.user_session import UserSession
from vestibule.core import clock

MOMENT = datetime(2026, 3, 1, 12, 30, 59, 999_999, tzinfo=timezone.utc)
ID = "9375973a-68c7-46aa-b135-29f79e837495"


@pytest.fixture
def at_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock at `MOMENT`."""
    monkeypatch.setattr(clock, "now", lambda: MOMENT)


@pytest.mark.parametrize("model", [User, UserSession])
def test_new_object_has_uuid_and_two_times(
    model: type[Base], at_moment: None
) -> None:
    """The id is a random UUID as text; both times are now, in UTC."""
    made, other = model(), model()
    assert isinstance(made, Base)
    assert str(uuid.UUID(made.id)) == made.id
    assert uuid.UUID(made.id).version == 4
    assert made.id != other.id
    assert made.created_at == made.updated_at == MOMENT
    assert made.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("model", [User, UserSession])
def test_keywords_set_id_and_times(model: type[Base]) -> None:
    """Positional arguments are ignored."""
    made = model("ignored", 3, id=ID, created_at=MOMENT, updated_at=MOMENT)
    assert made.id == ID
    assert made.created_at == made.updated_at == MOMENT
    assert model("ignored").id != "ignored"


def test_user_attributes_default_to_none() -> None:
    """Keywords set the attributes."""
    empty = User()
    assert empty.email is None
    assert empty.first_name is None
    assert empty.last_name is None
    user = User(email="bob@hbtn.io", first_name="Bob", last_name="Dylan")
    assert user.email == "bob@hbtn.io"
    assert (user.first_name, user.last_name) == ("Bob", "Dylan")


def test_session_attributes_default_to_none() -> None:
    """Keywords set the attributes."""
    empty = UserSession()
    assert empty.user_id is None
    assert empty.session_id is None
    session = UserSession(user_id="abcde", session_id="secret")
    assert session.user_id == "abcde"
    assert session.session_id == "secret"


def test_objects_of_same_class_and_id_are_equal() -> None:
    """Other attributes do not count."""
    assert User(id=ID) == User(id=ID, email="other@hbtn.io")
    assert User(id=ID) != User()
    assert User(id=ID) != UserSession(id=ID)
    assert UserSession(id=ID) == UserSession(id=ID)
    assert User(id=ID) != ID


def test_user_json_has_six_attributes(at_moment: None) -> None:
    """The JSON has no password."""
    user = User(id=ID, email="bob@hbtn.io", first_name="Bob")
    user.password = "secret"
    assert user.to_json() == {
        "created_at": "2026-03-01 12:30:59",
        "email": "bob@hbtn.io",
        "first_name": "Bob",
        "id": ID,
        "last_name": None,
        "updated_at": "2026-03-01 12:30:59",
    }


def test_session_json_has_public_attributes(at_moment: None) -> None:
    """The JSON has no private attributes."""
    session = UserSession(id=ID, user_id="abcde", session_id="fghij")
    assert session.to_json() == {
        "created_at": "2026-03-01 12:30:59",
        "id": ID,
        "session_id": "fghij",
        "updated_at": "2026-03-01 12:30:59",
        "user_id": "abcde",
    }


def test_password_is_stored_as_salted_hash() -> None:
    """The object does not contain the clear text."""
    user, other = User(), User()
    user.password = other.password = "H0lbertonSchool98!"
    assert "H0lbertonSchool98!" not in repr(vars(user))
    assert isinstance(user.password, str)
    assert user.password.startswith("$argon2id$")
    assert user.password != other.password


def test_only_the_right_password_is_valid() -> None:
    """Values of other types are invalid."""
    user = User()
    user.password = "fake pwd"
    assert user.is_valid_password("fake pwd") is True
    for wrong in ("Fake pwd", "fake pwd ", "", None, 89, b"fake pwd"):
        assert user.is_valid_password(wrong) is False


@pytest.mark.parametrize("nothing", [None, 89, b"bytes", ["list"]])
def test_password_that_is_no_string_removes_it(nothing: Any) -> None:
    """Afterwards no password is valid."""
    user = User()
    assert user.is_valid_password("fake pwd") is False
    user.password = "fake pwd"
    user.password = nothing
    assert user.password is None
    assert user.is_valid_password("fake pwd") is False
    assert user.is_valid_password(nothing) is False
    assert user.is_valid_password(str(nothing)) is False


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({}, ""),
        ({"email": "bob@hbtn.io"}, "bob@hbtn.io"),
        ({"email": "bob@hbtn.io", "first_name": "Bob"}, "Bob"),
        ({"email": "bob@hbtn.io", "last_name": "Dylan"}, "Dylan"),
        ({"first_name": "Bob", "last_name": "Dylan"}, "Bob Dylan"),
        ({"first_name": "", "last_name": "Dylan"}, "Dylan"),
    ],
)
def test_display_name_prefers_names_to_email(
    attributes: dict[str, str], shown: str
) -> None:
    """The first name comes before the last."""
    assert User(**attributes).display_name() == shown

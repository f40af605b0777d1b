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
def test_a_new_object_has_an_id_and_two_dates(
    model: type[Base], at_moment: None
) -> None:
    """A new object has a random UUID as text, and was made now, in UTC."""
    made, other = model(), model()
    assert isinstance(made, Base)
    assert str(uuid.UUID(made.id)) == made.id
    assert uuid.UUID(made.id).version == 4
    assert made.id != other.id
    assert made.created_at == made.updated_at == MOMENT
    assert made.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("model", [User, UserSession])
def test_id_and_dates_may_be_given(model: type[Base]) -> None:
    """What is given by keyword is taken; positions mean nothing."""
    made = model("ignored", 3, id=ID, created_at=MOMENT, updated_at=MOMENT)
    assert made.id == ID
    assert made.created_at == made.updated_at == MOMENT
    assert model("ignored").id != "ignored"


def test_attributes_of_a_user() -> None:
    """A user's attributes come by keyword and are `None` otherwise."""
    empty = User()
    assert empty.email is None
    assert empty.first_name is None
    assert empty.last_name is None
    user = User(email="bob@hbtn.io", first_name="Bob", last_name="Dylan")
    assert user.email == "bob@hbtn.io"
    assert (user.first_name, user.last_name) == ("Bob", "Dylan")


def test_attributes_of_a_session() -> None:
    """A session's attributes come by keyword and are `None` otherwise."""
    empty = UserSession()
    assert empty.user_id is None
    assert empty.session_id is None
    session = UserSession(user_id="abcde", session_id="secret")
    assert session.user_id == "abcde"
    assert session.session_id == "secret"


def test_equality() -> None:
    """Equal is what has the same class and the same id."""
    assert User(id=ID) == User(id=ID, email="other@hbtn.io")
    assert User(id=ID) != User()
    assert User(id=ID) != UserSession(id=ID)
    assert UserSession(id=ID) == UserSession(id=ID)
    assert User(id=ID) != ID


def test_json_of_a_user(at_moment: None) -> None:
    """A user shows exactly six attributes, and nothing of the password."""
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


def test_json_of_a_session(at_moment: None) -> None:
    """A session shows its public attributes, without private ones."""
    session = UserSession(id=ID, user_id="abcde", session_id="fghij")
    assert session.to_json() == {
        "created_at": "2026-03-01 12:30:59",
        "id": ID,
        "session_id": "fghij",
        "updated_at": "2026-03-01 12:30:59",
        "user_id": "abcde",
    }


def test_password_is_kept_as_a_hash() -> None:
    """The clear text is nowhere in the object, and each hash is salted."""
    user, other = User(), User()
    user.password = other.password = "H0lbertonSchool98!"
    assert "H0lbertonSchool98!" not in repr(vars(user))
    assert isinstance(user.password, str)
    assert user.password.startswith("$argon2id$")
    assert user.password != other.password


def test_valid_password() -> None:
    """Only the right string is valid."""
    user = User()
    user.password = "fake pwd"
    assert user.is_valid_password("fake pwd") is True
    for wrong in ("Fake pwd", "fake pwd ", "", None, 89, b"fake pwd"):
        assert user.is_valid_password(wrong) is False


@pytest.mark.parametrize("nothing", [None, 89, b"bytes", ["list"]])
def test_no_password(nothing: Any) -> None:
    """What is no string means no password, also after there was one."""
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
def test_display_name(attributes: dict[str, str], shown: str) -> None:
    """The names come before the email, the first before the last."""
    assert User(**attributes).display_name() == shown

#!/usr/bin/env python3
"""Saving and loading users and sessions, on every database."""

import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.clocks import SetClock
from vestibule.core.errors import InvalidValue, RecordGone
from vestibule.db.models.base import Base
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

MODELS: list[type[Base]] = [User, UserSession]


def test_new_object_has_an_id_and_two_dates() -> None:
    """Making one needs no values and stores nothing."""
    for model in MODELS:
        before = datetime.now(timezone.utc)
        made = model("anything", 5)
        assert str(uuid.UUID(made.id)) == made.id
        assert uuid.UUID(made.id).version == 4
        assert made.created_at == made.updated_at >= before
        assert made.created_at.tzinfo is timezone.utc
        assert model.count() == 0


def test_empty_database_returns_nothing(any_database: str) -> None:
    """Nothing is found in it, and nothing fails."""
    for model in MODELS:
        assert model.all() == model.search() == model.search({}) == []
        assert model.search({"id": "abcde"}) == []
        assert model.count() == 0
        assert model.get("abcde") is None
        assert model.get(None) is None
        assert model.get() is None
        model().remove()


def test_objects_are_saved_found_and_removed(any_database: str) -> None:
    """Save stores one, get and search find it, remove deletes it."""
    for model in MODELS:
        made, other = model(), model()
        for _ in range(2):
            made.save()
            assert model.count() == 1
        other.save()
        assert model.count() == 2
        assert model.get(made.id) == made
        assert model.search({"id": made.id}) == [made]
        made.remove()
        made.remove()
        assert model.get(made.id) is None
        assert model.all() == [other]


def test_save_inserts_a_removed_object_again(
    any_database: str,
) -> None:
    """`save` inserts a missing row, also for a loaded object, as a whole."""
    user = User(email="bob@example.com", first_name="Bob")
    user.save()
    loaded = User.get(user.id)
    assert loaded is not None
    loaded.remove()
    loaded.save()
    again = User.get(user.id)
    assert again is not None
    assert (again.email, again.first_name) == ("bob@example.com", "Bob")
    assert again.created_at == user.created_at


def test_save_changes_raises_for_a_removed_object(any_database: str) -> None:
    """It raises `RecordGone` for a removed object only."""
    user = User(first_name="Bob")
    with pytest.raises(RecordGone):
        user.save_changes()
    user.save()
    user.first_name = "Ann"
    user.save_changes()
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.first_name == "Ann"
    user.remove()
    with pytest.raises(RecordGone):
        loaded.save_changes()
    assert User.count() == 0


def test_save_sets_updated_at(any_database: str, set_clock: SetClock) -> None:
    """`updated_at` is the moment of the save, `created_at` stays."""
    user = User()
    made_at = set_clock.moment
    for save in (user.save, user.save, user.save_changes):
        set_clock.advance(0.000_001)
        save()
        loaded = User.get(user.id)
        assert loaded is not None
        assert loaded.updated_at == user.updated_at == set_clock.moment
        assert loaded.created_at == user.created_at == made_at


def test_saving_twice_in_one_moment_works(
    any_database: str, set_clock: SetClock
) -> None:
    """If nothing changed, not even the time, saving works too."""
    for model in MODELS:
        made = model()
        made.save()
        made.save()
        made.save_changes()
        loaded = model.get(made.id)
        assert loaded is not None
        loaded.save()
        loaded.save_changes()
        assert model.count() == 1


def test_saves_of_different_fields_keep_both_changes(
    any_database: str,
) -> None:
    """Saving writes what was changed, so both changes survive."""
    for first_save, second_save in [("save", "save_changes")] * 2 + [
        ("save_changes", "save")
    ]:
        user = User(first_name="a", last_name="b")
        user.save()
        one, two = User.get(user.id), User.get(user.id)
        assert one is not None
        assert two is not None
        one.first_name = "A"
        two.last_name = "B"
        getattr(one, first_save)()
        getattr(two, second_save)()
        # What was written by one is not written again by its next save.
        two.first_name = "AA"
        two.save()
        one.last_name = None
        one.save()
        loaded = User.get(user.id)
        assert loaded is not None
        assert (loaded.first_name, loaded.last_name) == ("AA", None)


def test_insert_does_not_change_a_stored_row(
    any_database: str, set_clock: SetClock
) -> None:
    """An object is inserted as it is; False means that its id is taken."""
    user = User(id="a", first_name="one", updated_at="2020-01-01T00:00:00")
    user.validate()
    assert User.count() == 0
    assert user.insert() is True
    assert User(id="a", first_name="two").insert() is False
    loaded = User.get("a")
    assert loaded is not None
    assert loaded.to_json() == user.to_json()
    user.first_name = "three"
    user.save()
    assert User.search({"first_name": "three"}) == [user]
    for odd in (User(first_name=5), User(email="")):
        with pytest.raises(InvalidValue):
            odd.validate()


def test_equality_is_class_and_id() -> None:
    """Other attributes do not count, other classes are never equal."""
    assert User(id="a", email="x") == User(id="a", email="y")
    assert User(id="a") != User(id="b")
    assert User(id="a") != UserSession(id="a")
    assert User(id="a") != "a"
    assert len({User(id="a"), User(id="a"), UserSession(id="a")}) == 2


def test_dates_are_stored_to_the_microsecond_in_utc(any_database: str) -> None:
    """A date given in any zone comes back as the same moment."""
    zone = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2026, 3, 29, 2, 30, 0, 123_457, tzinfo=timezone.utc)
    for number, given in enumerate(
        [
            moment,
            moment.astimezone(zone),
            moment.replace(tzinfo=None),
            "2026-03-29T02:30:00.123457",
            "2026-03-29 08:00:00.123457+05:30",
            "2026-03-29T02:30:00.123457Z",
        ]
    ):
        User(id=f"u{number}", created_at=given, updated_at=given).save()
        loaded = User.get(f"u{number}")
        assert loaded is not None
        assert loaded.created_at == moment
        assert loaded.created_at.tzinfo is timezone.utc
        assert loaded.updated_at.tzinfo is timezone.utc
        assert loaded.to_json()["created_at"] == "2026-03-29 02:30:00"
        searched = User.search({"id": loaded.id})[0]
        assert searched.created_at == moment
        assert searched.created_at.tzinfo is timezone.utc
        assert len(User.search({"created_at": given})) in (0, number + 1)
    assert len(User.search({"created_at": moment.astimezone(zone)})) == 6
    assert User.search({"created_at": moment + timedelta(0, 0, 1)}) == []


def test_first_and_last_date_can_be_stored(any_database: str) -> None:
    """Dates beyond them are refused."""
    for moment in (datetime.min, datetime.max):
        user = User(created_at=moment)
        user.save()
        loaded = User.get(user.id)
        assert loaded is not None
        assert loaded.created_at == moment.replace(tzinfo=timezone.utc)
    beyond = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))
    with pytest.raises(InvalidValue, match="created_at"):
        User(created_at=beyond)
    with pytest.raises(InvalidValue, match="created_at"):
        User(created_at="0001-01-01T00:00:00+01:00")
    assert User.search({"created_at": beyond}) == []


@pytest.mark.parametrize("given", ["yesterday", "", 5, b"2026-03-29", []])
def test_invalid_date_is_refused(given: Any) -> None:
    """The error names the field."""
    for name in ("created_at", "updated_at"):
        with pytest.raises(InvalidValue) as refused:
            User(**{name: given})
        assert refused.value.field == name


@pytest.mark.parametrize("value", [5, b"a", [], "a\0b", "\ud800"], ids=repr)
def test_value_that_is_no_text_is_refused(
    any_database: str, value: Any
) -> None:
    """`save` says which attribute it cannot keep, and keeps nothing."""
    attributes: list[tuple[type[Base], list[str]]] = [
        (User, ["id", "email", "first_name", "last_name"]),
        (UserSession, ["id", "user_id", "session_id"]),
    ]
    for model, names in attributes:
        for name in names:
            made = model()
            setattr(made, name, value)
            with pytest.raises(InvalidValue) as refused:
                made.save()
            assert refused.value.field == name
        assert model.count() == 0


def test_object_without_id_or_date_is_refused(any_database: str) -> None:
    """The error names the field."""
    for model in MODELS:
        for name in ("id", "created_at"):
            made = model()
            setattr(made, name, None)
            with pytest.raises(InvalidValue, match=name):
                made.save()
        assert model.count() == 0


def test_any_unicode_text_is_stored_unchanged(any_database: str) -> None:
    """Any text of Unicode is kept, on every database the same."""
    odd = "\u00e9 \U0001f600 'q' \"q\" \\ % _ \n\t\r \u202e\ufeff e\u0301 "
    user = User(id=odd, email=f"{odd}x", first_name=odd, last_name="")
    user.save()
    UserSession(user_id=odd, session_id=odd).save()
    loaded = User.get(odd)
    assert loaded is not None
    assert loaded.to_json() == user.to_json()
    assert loaded.to_json()["last_name"] == ""
    assert User.search({"first_name": odd}) == [user]
    assert UserSession.search({"user_id": odd, "session_id": odd})
    assert UserSession.find(odd) is not None


@pytest.mark.parametrize(
    "made",
    [
        lambda text: User(email=text),
        lambda text: User(id=text),
        lambda text: UserSession(user_id=text),
        lambda text: UserSession(id=text),
    ],
)
def test_text_too_long_for_an_index_is_refused(
    on_postgresql: str, made: Callable[[str], Base]
) -> None:
    """`InvalidValue` is raised, not an error of the database."""
    text = secrets.token_hex(3000)
    with pytest.raises(InvalidValue, match="too long to be stored"):
        made(text).save()
    kind = type(made("x"))
    assert kind.get(text) is None
    assert kind.count() == 0
    made(text[:1000]).save()
    assert kind.count() == 1

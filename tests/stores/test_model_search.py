#!/usr/bin/env python3
"""Searching users and sessions by their attributes, on every database."""

from datetime import datetime, timedelta, timezone
from typing import Any

from tests.clocks import SetClock
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

#: Values that no stored attribute equals.
ODD: list[Any] = [
    5,
    5.0,
    True,
    b"a",
    [],
    {},
    object(),
    "a\0b",
    "\0",
    "\ud800",
    "\udfff x",
    "a" * 5000,
    "%",
    "_",
    "' OR ''='",
]


def test_lists_are_in_order_of_creation(
    any_database: str, set_clock: SetClock
) -> None:
    """Objects of one moment are in the order of their ids."""
    made = [User(id=name) for name in "zA"]
    set_clock.advance(0.000_001)
    made += [User(id=name) for name in "ya"]
    for user in reversed(made):
        user.save()
    assert [user.id for user in User.all()] == ["A", "z", "a", "y"]
    assert [user.id for user in User.search({})] == ["A", "z", "a", "y"]


def test_odd_values_find_nothing(any_database: str) -> None:
    """Neither a search nor a look-up fails, whatever it is given."""
    User(email="a", first_name="a").save()
    UserSession(user_id="a", session_id="a").save()
    names = {
        User: [
            "id",
            "created_at",
            "updated_at",
            "email",
            "first_name",
            "last_name",
        ],
        UserSession: [
            "id",
            "created_at",
            "updated_at",
            "user_id",
            "session_id",
        ],
    }
    for model, attributes in names.items():
        for odd in ODD:
            assert model.get(odd) is None
            for name in attributes:
                assert model.search({name: odd}) == [], (name, odd)


def test_unknown_and_private_attributes_find_nothing(
    any_database: str,
) -> None:
    """A user cannot be found by a hash or by an unknown attribute."""
    user = User(email="a")
    user.password = "secret"
    user.save()
    UserSession(user_id="a", session_id="b").save()
    for name in ["password", "_password", "email_key", "nickname", "", "__"]:
        assert User.search({name: None}) == []
        assert User.search({name: user.password}) == []
        assert User.search({"email": "a", name: "a"}) == []
    for name in ["session_digest", "_loaded", "email"]:
        assert UserSession.search({name: None}) == []
        assert UserSession.search({name: "a"}) == []


def test_search_needs_all_given_values(any_database: str) -> None:
    """A search is for objects that have every value, `None` included."""
    one = User(email="a", first_name="x", last_name="y")
    two = User(email="b", first_name="x")
    one.save()
    two.save()
    assert len(User.search({"first_name": "x"})) == 2
    assert User.search({"first_name": "x", "last_name": "y"}) == [one]
    assert User.search({"first_name": "x", "last_name": None}) == [two]
    assert User.search({"first_name": "X"}) == []
    assert User.search({"email": "A", "first_name": "x"}) == [one]
    assert User.search({"email": "a", "first_name": "z"}) == []


def test_search_pages_equal_the_search(any_database: str) -> None:
    """For each page size, also for objects of the same moment."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for number in range(5):
        User(
            id=str(number),
            first_name="a" if number else "b",
            created_at=moment + timedelta(0, 0, number // 3),
        ).save()
    for wanted in ({}, {"first_name": "a"}):
        found = User.search(wanted)
        for size in (1, 2, 3, 5, 9):
            pages = list(User.search_pages(wanted, size))
            assert [user for page in pages for user in page] == found
            assert all(len(page) == size for page in pages[:-1])
    assert list(User.search_pages({"id": "unknown"})) == []

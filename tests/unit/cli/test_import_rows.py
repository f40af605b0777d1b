#!/usr/bin/env python3
"""Rows of a JSON import: which fields are kept, which rows are refused."""

import json
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

import pytest

from vestibule.accounts.imports import JSONPairs, read_rows, user_from_row
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User

ROW = {
    "id": "one",
    "created_at": "2017-09-25T01:55:17",
    "updated_at": "2018-01-02T03:04:05",
    "email": " Bob@Example.com ",
    "_password": sha256(b"toto1234").hexdigest(),
    "first_name": "Bob",
    "last_name": None,
}


def user_from(key: str = "one", **changed: Any) -> User:
    """Return the user of the row above, with some fields `changed`."""
    return user_from_row(key, JSONPairs((ROW | changed).items()))


def test_row_becomes_a_user() -> None:
    """All fields are taken over; the dates are in UTC."""
    user = user_from()
    assert (user.id, user.email) == ("one", "Bob@Example.com")
    assert (user.first_name, user.last_name) == ("Bob", None)
    assert user.created_at == datetime(
        2017, 9, 25, 1, 55, 17, tzinfo=timezone.utc
    )
    assert user.updated_at == datetime(
        2018, 1, 2, 3, 4, 5, tzinfo=timezone.utc
    )
    assert user.is_valid_password("toto1234")
    assert not user.is_valid_password("toto1235")


def test_capital_hash_digits_are_accepted() -> None:
    """A store with capital digits holds the same hashes."""
    capital = ROW["_password"].upper()  # type: ignore[union-attr]
    user = user_from(_password=capital)
    assert user.is_valid_password("toto1234")


def test_optional_fields_may_be_missing() -> None:
    """Email, names and password may be missing, and so may the id."""
    bare = {name: ROW[name] for name in ("created_at", "updated_at")}
    user = user_from_row("two", JSONPairs(bare.items()))
    assert (user.id, user.email, user.password) == ("two", None, None)
    assert user_from(_password=None).password is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"id": "two"}, "id must be the key of the row"),
        ({"id": None}, "id must be the key of the row"),
        ({"created_at": None}, "created_at must be a moment"),
        ({"created_at": "yesterday"}, "created_at must be a moment"),
        ({"updated_at": "2017-09-25"}, "updated_at must be a moment"),
        ({"updated_at": 1506304517}, "updated_at must be a moment"),
        ({"_password": "toto1234"}, "_password must be a SHA-256"),
        ({"_password": ""}, "_password must be a SHA-256"),
        ({"_password": 5}, "_password must be a SHA-256"),
        ({"_password": "g" * 64}, "_password must be a SHA-256"),
        ({"_password": "0" * 64 + "\n"}, "_password must be a SHA-256"),
        ({"email": "  "}, "email must not be empty"),
        ({"email": 89}, "email must be a string"),
        ({"first_name": ["Bob"]}, "first_name must be a string"),
        ({"last_name": "a\0b"}, "last_name contains an invalid character"),
        ({"last_name": "\ud800"}, "last_name contains an invalid character"),
    ],
)
def test_bad_field_is_named_without_its_value(
    changed: dict[str, Any], why: str
) -> None:
    """The error does not repeat what may be a secret."""
    with pytest.raises(InvalidValue, match=why) as caught:
        user_from(**changed)
    assert "toto" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "row", "why"),
    [
        ("", JSONPairs(ROW.items()), "id must be the key"),
        ("a\0", JSONPairs(), "created_at must be"),
        ("one", [], "the row must be an object"),
        ("one", JSONPairs([*ROW.items(), ("id", "one")]), "has a field twice"),
    ],
)
def test_bad_row_is_refused(key: str, row: Any, why: str) -> None:
    """An invalid or ambiguous row is no user."""
    with pytest.raises(InvalidValue, match=why):
        user_from_row(key, row)


def test_id_that_no_database_can_store_is_refused() -> None:
    """An id is checked as the other texts are."""
    with pytest.raises(InvalidValue, match="id contains an invalid character"):
        user_from("a\0b", id="a\0b")


def test_rows_keep_order_and_duplicate_keys() -> None:
    """What JSON would drop silently can be checked."""
    rows = read_rows(b'{"b": {"x": 1, "x": 2}, "a": 1, "b": null}')
    assert rows == [("b", [("x", 1), ("x", 2)]), ("a", 1), ("b", None)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not JSON"),
        (b'{"a": ', "is not JSON"),
        (b'{"a": "\xff"}', "is not JSON: not text"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"[{}]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
    ],
)
def test_file_that_is_no_object_is_refused(content: bytes, why: str) -> None:
    """A file that is not a JSON object is refused as a whole."""
    with pytest.raises(InvalidValue, match=why):
        read_rows(content)


def test_byte_order_mark_is_accepted() -> None:
    """Editors of some systems begin a file with one."""
    assert read_rows(json.dumps({}).encode("utf-8-sig")) == []

#!/usr/bin/env python3
"""Import users from the JSON file in which an older program kept them.

Each row is checked on its own: a bad row is reported and does not stop the
import, and no message repeats what may be a secret. Existing users are not
changed. A dry run reports what the import would do and writes nothing."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from vestibule.core import passwords
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.core.text import email_key
from vestibule.db.models.user import User

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class JSONPairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, including repeated names."""


def read_rows(content: bytes) -> JSONPairs:
    """Return the rows of the file with their keys, in their order.

    Raise `InvalidValue` if the file is not one JSON object.
    """
    try:
        rows = json.loads(content, object_pairs_hook=JSONPairs)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, json.JSONDecodeError) else "not text"
        raise InvalidValue(
            "the file", f"is not JSON: {why}", code="invalid"
        ) from None
    if not isinstance(rows, JSONPairs):
        raise InvalidValue(
            "the file", "must be a JSON object of users", code="invalid"
        )
    return rows


def user_from_row(key: str, row: Any) -> User:
    """Return the user that a `row` describes, not stored yet.

    Raise `InvalidValue` with the field that is wrong.
    """
    if not isinstance(row, JSONPairs):
        raise InvalidValue("the row", "must be an object", code="invalid")
    fields = dict(row)
    if len(fields) < len(row):
        raise InvalidValue("the row", "has a field twice", code="invalid")
    if not key or fields.get("id", key) != key:
        raise InvalidValue("id", "must be the key of the row", code="invalid")
    user = User(
        id=key,
        email=fields.get("email"),
        first_name=fields.get("first_name"),
        last_name=fields.get("last_name"),
        created_at=_time("created_at", fields),
        updated_at=_time("updated_at", fields),
    )
    digest = fields.get("_password")
    if digest is not None:
        user.set_hash(passwords.legacy_hash(_sha256(digest)))
    user.validate()
    return user


def _time(name: str, fields: dict[str, Any]) -> datetime:
    """Return the time, in UTC, in the field `name`."""
    try:
        naive = datetime.strptime(fields[name], _TIME_FORMAT)
    except (KeyError, TypeError, ValueError):
        raise InvalidValue(
            name, "must be a moment like 2020-01-31T23:59:59", code="invalid"
        ) from None
    return naive.replace(tzinfo=timezone.utc)


def _sha256(value: Any) -> str:
    """Return `value` if it is a SHA-256 in hex digits, or raise."""
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return value
    raise InvalidValue(
        "_password", "must be a SHA-256 of 64 hex digits", code="invalid"
    )


class Outcome(Enum):
    """What became of a row."""

    IMPORTED = "imported"
    PRESENT = "already there"
    BAD = "bad"


@dataclass(frozen=True)
class Report:
    """The outcome of the row with this key, and why it is bad."""

    key: str
    outcome: Outcome
    why: str = ""


#: Stores a user; returns True if the id was free, or raises `InvalidValue`.
Importer = Callable[[User], bool]


def import_users(
    rows: Iterable[tuple[str, Any]], insert: Importer
) -> Iterator[Report]:
    """Import each of the `rows` with `insert`; yield a report for each.

    Each row is a transaction of its own: an interrupted import leaves
    complete users, and the next one continues after them.
    """
    seen = set()
    for key, row in rows:
        try:
            if key in seen:
                raise InvalidValue(
                    "the key", "is in the file twice", code="invalid"
                )
            seen.add(key)
            is_new = insert(user_from_row(key, row))
        except InvalidValue as error:
            yield Report(key, Outcome.BAD, str(error))
        else:
            yield Report(key, Outcome.IMPORTED if is_new else Outcome.PRESENT)


class DryRun:
    """An `Importer` that stores nothing."""

    def __init__(self, is_empty: bool) -> None:
        """Start; `is_empty` is True for a database without users."""
        self._is_empty = is_empty
        self._keys: set[str] = set()

    def __call__(self, user: User) -> bool:
        """Return what `User.insert` would return for `user`."""
        if not self._is_empty and User.get(user.id) is not None:
            return False
        if user.email is not None:
            key = email_key(user.email)
            if key in self._keys or self._is_stored(key):
                raise DuplicateEmail
            self._keys.add(key)
        return True

    def _is_stored(self, key: str) -> bool:
        """Return True if a stored user has this email."""
        return not self._is_empty and bool(User.search({"email": key}))

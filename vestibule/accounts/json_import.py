#!/usr/bin/env python3
"""The JSON file in which users were kept before there was a database.

Its law: it reads and judges, and stores nothing. One bad row is an error
of that row alone, and no error repeats what may be a secret.

How users of another store are taken in, or would be.

Its law: a rehearsal says what the performance would, and writes nothing;
nobody who is here already is changed.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from vestibule.core import passwords
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.db.models.user import User, email_key

_MOMENT = "%Y-%m-%dT%H:%M:%S"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class JSONPairs(list[tuple[str, Any]]):
    """The members of a JSON object, those of the same name too."""


def read_rows(content: bytes) -> JSONPairs:
    """Return the rows of a store by their keys, in their order.

    Raise `InvalidValue` if the whole is not a JSON object.
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
    """Return the user that a `row` of the store describes, not yet stored.

    Raise `InvalidValue` naming the field that is wrong.
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
        created_at=_moment("created_at", fields),
        updated_at=_moment("updated_at", fields),
    )
    digest = fields.get("_password")
    if digest is not None:
        user.set_hash(passwords.legacy_hash(_sha256(digest)))
    user.validate()
    return user


def _moment(name: str, fields: dict[str, Any]) -> datetime:
    """Return the moment, in UTC, that the field `name` has."""
    try:
        naive = datetime.strptime(fields[name], _MOMENT)
    except (KeyError, TypeError, ValueError):
        raise InvalidValue(
            name, "must be a moment like 2020-01-31T23:59:59", code="invalid"
        ) from None
    return naive.replace(tzinfo=timezone.utc)


def _sha256(value: Any) -> str:
    """Return `value` if it is a SHA-256 in hex digits."""
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
    """The outcome of the row with a `key`; `why`, if it is bad."""

    key: str
    outcome: Outcome
    why: str = ""


#: Takes a user in; tells whether its id was free, or raises `InvalidValue`.
Importer = Callable[[User], bool]


def import_users(
    rows: Iterable[tuple[str, Any]], door: Importer
) -> Iterator[Report]:
    """Lead each of the `rows` through the `door`; report one by one.

    Each row is a transaction of its own: an import that is interrupted
    leaves whole users, and the next one goes on behind them.
    """
    seen = set()
    for key, row in rows:
        try:
            if key in seen:
                raise InvalidValue(
                    "the key", "is in the file twice", code="invalid"
                )
            seen.add(key)
            free = door(user_from_row(key, row))
        except InvalidValue as error:
            yield Report(key, Outcome.BAD, str(error))
        else:
            yield Report(key, Outcome.IMPORTED if free else Outcome.PRESENT)


class DryRun:
    """A door that only remembers who would have gone in."""

    def __init__(self, is_empty: bool) -> None:
        """Begin; with an empty store there is nobody to ask about."""
        self._is_empty = is_empty
        self._keys: set[str] = set()

    def __call__(self, user: User) -> bool:
        """Answer for `user` as `User.insert` would."""
        if not self._is_empty and User.get(user.id) is not None:
            return False
        if user.email is not None:
            key = email_key(user.email)
            if key in self._keys or self._is_stored(key):
                raise DuplicateEmail
            self._keys.add(key)
        return True

    def _is_stored(self, key: str) -> bool:
        """Tell whether a stored user has the email."""
        return not self._is_empty and bool(User.search({"email": key}))

#!/usr/bin/env python3
"""The JSON file in which users were kept before there was a database.

Its law: it reads and judges, and stores nothing. One bad row is an error
of that row alone, and no error repeats what may be a secret.
"""

import json
import re
from datetime import datetime, timezone
from typing import Any

from models.user import User
from vestibule import passwords
from vestibule.errors import InvalidValue

_MOMENT = "%Y-%m-%dT%H:%M:%S"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, those of the same name too."""


def rows_of(content: bytes) -> Pairs:
    """Return the rows of a store by their keys, in their order.

    Raise `InvalidValue` if the whole is not a JSON object.
    """
    try:
        rows = json.loads(content, object_pairs_hook=Pairs)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, json.JSONDecodeError) else "not text"
        raise InvalidValue("the file", f"is not JSON: {why}") from None
    if not isinstance(rows, Pairs):
        raise InvalidValue("the file", "must be a JSON object of users")
    return rows


def user_of(key: str, row: Any) -> User:
    """Return the user that a `row` of the store describes, not yet stored.

    Raise `InvalidValue` naming the field that is wrong.
    """
    if not isinstance(row, Pairs):
        raise InvalidValue("the row", "must be an object")
    fields = dict(row)
    if len(fields) < len(row):
        raise InvalidValue("the row", "has a field twice")
    if not key or fields.get("id", key) != key:
        raise InvalidValue("id", "must be the key of the row")
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
        user.adopt_hash(passwords.legacy_hash(_sha256(digest)))
    user.check()
    return user


def _moment(name: str, fields: dict[str, Any]) -> datetime:
    """Return the moment, in UTC, that the field `name` has."""
    try:
        naive = datetime.strptime(fields[name], _MOMENT)
    except (KeyError, TypeError, ValueError):
        raise InvalidValue(
            name, "must be a moment like 2020-01-31T23:59:59"
        ) from None
    return naive.replace(tzinfo=timezone.utc)


def _sha256(value: Any) -> str:
    """Return `value` if it is a SHA-256 in hex digits."""
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return value
    raise InvalidValue("_password", "must be a SHA-256 of 64 hex digits")

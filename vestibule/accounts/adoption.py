#!/usr/bin/env python3
"""How users of another store are taken in, or would be.

Its law: a rehearsal says what the performance would, and writes nothing;
nobody who is here already is changed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from models.user import User, email_key
from vestibule.accounts.old_store import user_of
from vestibule.errors import DuplicateEmail, InvalidValue


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
Door = Callable[[User], bool]


def adopt(rows: Iterable[tuple[str, Any]], door: Door) -> Iterator[Report]:
    """Lead each of the `rows` through the `door`; report one by one.

    Each row is a transaction of its own: an import that is interrupted
    leaves whole users, and the next one goes on behind them.
    """
    seen = set()
    for key, row in rows:
        try:
            if key in seen:
                raise InvalidValue("the key", "is in the file twice")
            seen.add(key)
            free = door(user_of(key, row))
        except InvalidValue as error:
            yield Report(key, Outcome.BAD, str(error))
        else:
            yield Report(key, Outcome.IMPORTED if free else Outcome.PRESENT)


class Rehearsal:
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

#!/usr/bin/env python3
"""Users by search and filter, a page at a time.

Its law: a page costs the same among a thousand users and among millions.
Each range of an index that may have something is entered at the place
where the page before ended; what a further condition leaves out is looked
at too, but no more than `LOOKED` rows of it for one page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    and_,
    or_,
    select,
    tuple_,
)

from vestibule.core.errors import InvalidValue
from vestibule.core.text import name_key, strip_direction_marks
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User, email_key
from vestibule.db.tables import USERS, parse_moment

#: Rows that are looked at for one page at most.
MAX_ROWS_SCANNED = 1_000
#: Places at which the words of a search are divided into both names.
MAX_NAME_SPLITS = 3
#: It sorts after all that people type.
_HIGHEST_CHARACTER = "\U0010ffff"
_C = USERS.c


class Cursor(NamedTuple):
    """Where a user stands in a list; what it is sorted by, then the id."""

    first: str
    second: str
    id: str


class UserFilter(NamedTuple):
    """Which users are asked for; `None` is any."""

    #: The beginning of an email, or of a name.
    text: str = ""
    role: Role | None = None
    disabled: bool | None = None
    signed_in: bool | None = None


class UserPage(NamedTuple):
    """A page of users, and the place after which there may be more.

    A page that is not full and has a place looked at all it may.
    """

    users: list[User]
    next: Cursor | None


@dataclass(frozen=True)
class IndexRange:
    """A range of an index: all that begins like something, in order."""

    columns: tuple[Column[Any], ...]
    beginning: str
    #: What the columns before the last one have to be.
    exactly: tuple[str, ...] = ()

    def statement(self, most: int, after: Cursor | None) -> Select[Any]:
        """Return the statement for the first rows after a place."""
        column = self.columns[len(self.exactly)]
        wanted: list[ColumnElement[bool]] = [
            one == value
            for one, value in zip(self.columns, self.exactly, strict=False)
        ]
        wanted += [
            column >= self.beginning,
            column < self.beginning + _HIGHEST_CHARACTER,
        ]
        if after is not None:
            wanted.append(self._beyond(after))
        # An email is one account, so nothing is left to be sorted.
        order = (
            self.columns if column is _C.email_key else (*self.columns, _C.id)
        )
        return select(USERS).where(*wanted).order_by(*order).limit(most)

    def place_of(self, values: tuple[str | None, ...], id: str) -> Cursor:
        """Return the place of a row with these values of the columns."""
        first, second = (*values, "")[:2]
        return Cursor(first or "", second or "", id)

    def holds(self, values: tuple[str | None, ...]) -> bool:
        """Tell whether a row with these values is in the range."""
        number = len(self.exactly)
        return values[:number] == self.exactly and (
            values[number] or ""
        ).startswith(self.beginning)

    def _beyond(self, after: Cursor) -> ColumnElement[bool]:
        """Return the condition that a row stands after a place."""
        column = self.columns[0]
        if len(self.columns) > 1:
            return tuple_(*self.columns, _C.id) > tuple_(*after)
        if after.second:
            return column > after.first
        return and_(
            column >= after.first,
            or_(column > after.first, _C.id > after.id),
        )


def search_page(
    sought: UserFilter, most: int, after: Cursor | None = None
) -> UserPage:
    """Return so many of the users who are sought, after a place.

    By name or email in the order of the alphabet; without a text the
    newest come first, or those who were disabled last.
    """
    found: list[tuple[Cursor, User]] = []
    looked = 0
    while looked < MAX_ROWS_SCANNED:
        size = min(_rows_per_match(sought) * (most + 1), MAX_ROWS_SCANNED)
        rows = list(islice(_scan(sought, size, after), size))
        for after, user in rows:
            if _matches(user, sought):
                found.append((after, user))
            if len(found) > most:
                return UserPage([each for _, each in found[:-1]], found[-2][0])
        looked += len(rows)
        if len(rows) < size:
            return UserPage([each for _, each in found], None)
    return UserPage([each for _, each in found], after)


def _rows_per_match(sought: UserFilter) -> int:
    """Return how many rows are looked at for one that is shown, likely."""
    conditions = (sought.role, sought.disabled, sought.signed_in)
    return 1 if all(each is None for each in conditions) else 4


def _scan(
    sought: UserFilter, size: int, after: Cursor | None
) -> Iterator[tuple[Cursor, User]]:
    """Give users and their places, each user once, in order."""
    if not sought.text.strip():
        yield from _scan_newest(sought, size, after)
        return
    ranges = _ranges(sought.text)
    before: Cursor | None = None
    for place, user in merge(
        *(_scan_range(each, size, after) for each in ranges),
        key=lambda found: found[0],
    ):
        # Who is in several ranges stands where they come first.
        if place != before and place == min(_cursors_of(ranges, user)):
            yield place, user
        else:
            yield place, _NOT_SHOWN
        before = place


#: Stands for a row that was looked at and is not to be shown.
_NOT_SHOWN = User(id="nobody")


def _scan_range(
    each: IndexRange, size: int, after: Cursor | None
) -> Iterator[tuple[Cursor, User]]:
    """Give the first rows of a range after a place, when they are used."""
    for row in database().fetch_all(each.statement(size, after)):
        user = User._from_row(row)
        yield each.place_of(_values(each, user), user.id), user


def _ranges(text: str) -> list[IndexRange]:
    """Return where the users are whom a text may mean."""
    names = _C.first_key, _C.last_key
    key = name_key(text)
    ranges = [
        IndexRange((_C.email_key,), email_key(strip_direction_marks(text)))
    ]
    if key:
        ranges += [IndexRange(names, key), IndexRange((_C.last_key,), key)]
    words = key.split(" ")
    for number in range(1, len(words))[:MAX_NAME_SPLITS]:
        head, tail = " ".join(words[:number]), " ".join(words[number:])
        ranges.append(IndexRange(names, tail, (head,)))
    return ranges


def _values(each: IndexRange, user: User) -> tuple[str | None, ...]:
    """Return what a user has in the columns of a range."""
    known = {
        "email_key": None if user.email is None else email_key(user.email),
        "first_key": name_key(user.first_name),
        "last_key": name_key(user.last_name),
    }
    return tuple(known[column.name] for column in each.columns)


def _cursors_of(ranges: Sequence[IndexRange], user: User) -> Iterator[Cursor]:
    """Give the places of a user in all ranges that hold it."""
    for each in ranges:
        values = _values(each, user)
        if each.holds(values):
            yield each.place_of(values, user.id)


def _scan_newest(
    sought: UserFilter, size: int, after: Cursor | None
) -> Iterator[tuple[Cursor, User]]:
    """Give users, the newest of the narrowest filter first."""
    disabled = sought.disabled and sought.role is not Role.ADMIN
    for row in database().fetch_all(_newest_statement(sought, size, after)):
        user = User._from_row(row)
        at = user.disabled_at if disabled else user.created_at
        yield Cursor(str(at), "", user.id), user


def _newest_statement(
    sought: UserFilter, size: int, after: Cursor | None
) -> Select[Any]:
    """Return the statement for them, by the filter's index."""
    began: Column[Any] = _C.created_at
    wanted: list[ColumnElement[bool]] = []
    if sought.role is Role.ADMIN:
        wanted.append(_C.role == Role.ADMIN.value)
    elif sought.disabled:
        began = _C.disabled_at
        wanted.append(began.is_not(None))
    elif sought.signed_in is False:
        wanted.append(_C.signed_in_at.is_(None))
    if after is not None:
        then = _parse_cursor_moment(after)
        # Said twice, so that the index is entered at that moment.
        wanted += [began <= then, or_(began < then, _C.id < after.id)]
    newest = select(USERS).where(*wanted)
    return newest.order_by(began.desc(), _C.id.desc()).limit(size)


def _statements(
    sought: UserFilter, size: int, after: Cursor | None
) -> list[Select[Any]]:
    """Return all that the database is asked for a page, for its tests."""
    if not sought.text.strip():
        return [_newest_statement(sought, size, after)]
    return [each.statement(size, after) for each in _ranges(sought.text)]


def _parse_cursor_moment(place: Cursor) -> datetime:
    """Return the moment at which a place is; raise `InvalidValue`."""
    try:
        return parse_moment(place.first)
    except ValueError:
        raise InvalidValue(
            "after", "is no place of this list", code="invalid"
        ) from None


def _matches(user: User, sought: UserFilter) -> bool:
    """Tell whether a user meets all filters."""
    return user is not _NOT_SHOWN and all(
        (
            sought.role in (None, user.role),
            sought.disabled in (None, user.disabled_at is not None),
            sought.signed_in in (None, user.signed_in_at is not None),
        )
    )

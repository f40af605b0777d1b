#!/usr/bin/env python3
"""Users by search text and filters, one page at a time.

A page costs the same among a thousand users and among millions. Each range
of an index that may hold matches is entered at the cursor, where the
previous page ended. Rows that a further filter excludes are scanned too,
but at most `MAX_ROWS_SCANNED` of them for one page.
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
    func,
    literal,
    or_,
    select,
    tuple_,
)

from vestibule.core.errors import InvalidValue
from vestibule.core.text import email_key, name_key, strip_direction_marks
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User
from vestibule.db.tables import USERS, parse_moment

#: Rows that are scanned for one page at most.
MAX_ROWS_SCANNED = 1_000
#: Ways to split the words of a search text into first and last name.
MAX_NAME_SPLITS = 3
#: It sorts after every character in a name or an email.
_HIGHEST_CHARACTER = "\U0010ffff"
_C = USERS.c


class Cursor(NamedTuple):
    """The position of a user in a list: two sort values, then the id."""

    first_value: str
    second_value: str
    id: str


class UserFilter(NamedTuple):
    """The conditions on users; `None` matches any value."""

    #: The beginning of an email, of a name, or of both names.
    search: str = ""
    role: Role | None = None
    disabled: bool | None = None
    signed_in: bool | None = None


class UserPage(NamedTuple):
    """A page of users, and the cursor after which there may be more.

    A page with `next` may have fewer users than the limit: the scan has
    reached `MAX_ROWS_SCANNED` then.
    """

    users: list[User]
    next: Cursor | None


@dataclass(frozen=True)
class IndexRange:
    """The range of an index whose column begins with a prefix, in order."""

    columns: tuple[Column[Any], ...]
    prefix: str
    #: The values of the columns before the one with the prefix.
    equal_to: tuple[str, ...] = ()

    def statement(self, limit: int, after: Cursor | None) -> Select[Any]:
        """Return the query for the first rows after a cursor."""
        column = self.columns[len(self.equal_to)]
        conditions: list[ColumnElement[bool]] = [
            one == value
            for one, value in zip(self.columns, self.equal_to, strict=False)
        ]
        conditions += [
            column >= self.prefix,
            column < self.prefix + _HIGHEST_CHARACTER,
        ]
        if after is not None:
            conditions.append(self._is_after(after))
        # Emails are unique, so their order needs no id.
        order = (
            self.columns if column is _C.email_key else (*self.columns, _C.id)
        )
        page = select(USERS).where(*conditions)
        return page.order_by(*order).limit(limit)

    def cursor_at(self, values: tuple[str | None, ...], id: str) -> Cursor:
        """Return the cursor of a row with these values of the columns."""
        first, second = (*values, "")[:2]
        return Cursor(first or "", second or "", id)

    def contains(self, values: tuple[str | None, ...]) -> bool:
        """Return True if a row with these values is in the range."""
        number = len(self.equal_to)
        return values[:number] == self.equal_to and (
            values[number] or ""
        ).startswith(self.prefix)

    def _is_after(self, after: Cursor) -> ColumnElement[bool]:
        """Return the condition that a row comes after a cursor."""
        column = self.columns[0]
        if len(self.columns) > 1:
            return tuple_(*self.columns, _C.id) > tuple_(*after)
        if after.second_value:
            return column > after.first_value
        return and_(
            column >= after.first_value,
            or_(column > after.first_value, _C.id > after.id),
        )


def search_page(
    user_filter: UserFilter, limit: int, after: Cursor | None = None
) -> UserPage:
    """Return at most `limit` of the users who meet the filter.

    With a search text they are sorted by name or email; without one the
    newest come first, or the last disabled. Raise `InvalidValue` if
    `after` is not a cursor of the list.
    """
    found: list[tuple[Cursor, User]] = []
    scanned = 0
    while scanned < MAX_ROWS_SCANNED:
        size = _rows_per_match(user_filter) * (limit + 1)
        size = min(size, MAX_ROWS_SCANNED)
        rows = list(islice(_scan(user_filter, size, after), size))
        for after, user in rows:
            if _matches(user, user_filter):
                found.append((after, user))
            if len(found) > limit:
                return UserPage([each for _, each in found[:-1]], found[-2][0])
        scanned += len(rows)
        if len(rows) < size:
            return UserPage([each for _, each in found], None)
    return UserPage([each for _, each in found], after)


def users_without_own_email() -> list[User]:
    """Return the users whose email another user has, oldest first.

    The upgrade to revision 0007 found that their addresses are the same,
    and gave them a key that ends with their id. This scans all users.
    """
    suffix = literal(" ") + _C.id
    statement = select(USERS).where(
        _C.email_key == func.replace(_C.email_key, suffix, "") + suffix
    )
    order = statement.order_by(_C.created_at, _C.id)
    return [User._from_row(row) for row in database().fetch_all(order)]


def _rows_per_match(user_filter: UserFilter) -> int:
    """Return an estimate of the rows to scan for one match."""
    _, *filters = user_filter
    return 1 if all(each is None for each in filters) else 4


def _scan(
    user_filter: UserFilter, size: int, after: Cursor | None
) -> Iterator[tuple[Cursor, User]]:
    """Yield users with their cursors, each user once, in order."""
    if not user_filter.search.strip():
        yield from _scan_newest(user_filter, size, after)
        return
    ranges = _ranges(user_filter.search)
    previous: Cursor | None = None
    for cursor, user in merge(
        *(_scan_range(each, size, after) for each in ranges),
        key=lambda found: found[0],
    ):
        # A user in several ranges is shown at the first of its positions.
        if cursor != previous and cursor == min(_cursors_of(ranges, user)):
            yield cursor, user
        else:
            yield cursor, _NOT_SHOWN
        previous = cursor


#: Stands for a row that was scanned and must not be shown again.
_NOT_SHOWN = User(id="not shown")


def _scan_range(
    each: IndexRange, size: int, after: Cursor | None
) -> Iterator[tuple[Cursor, User]]:
    """Yield the first rows of a range after a cursor; query them lazily."""
    for row in database().fetch_all(each.statement(size, after)):
        user = User._from_row(row)
        yield each.cursor_at(_values(each, user), user.id), user


def _ranges(search: str) -> list[IndexRange]:
    """Return the index ranges that hold the matches of a search text."""
    names = _C.first_key, _C.last_key
    key = name_key(search)
    email = email_key(strip_direction_marks(search))
    ranges = [IndexRange((_C.email_key,), email)]
    if key:
        ranges += [IndexRange(names, key), IndexRange((_C.last_key,), key)]
    words = key.split(" ")
    for number in range(1, len(words))[:MAX_NAME_SPLITS]:
        first, last = " ".join(words[:number]), " ".join(words[number:])
        ranges.append(IndexRange(names, last, (first,)))
    return ranges


def _values(each: IndexRange, user: User) -> tuple[str | None, ...]:
    """Return the user's values of the columns of a range."""
    known = {
        "email_key": user.email_key,
        "first_key": name_key(user.first_name),
        "last_key": name_key(user.last_name),
    }
    return tuple(known[column.name] for column in each.columns)


def _cursors_of(ranges: Sequence[IndexRange], user: User) -> Iterator[Cursor]:
    """Yield the cursors of a user in all ranges that contain it."""
    for each in ranges:
        values = _values(each, user)
        if each.contains(values):
            yield each.cursor_at(values, user.id)


def _scan_newest(
    user_filter: UserFilter, size: int, after: Cursor | None
) -> Iterator[tuple[Cursor, User]]:
    """Yield users from the index of one filter, the newest first."""
    by_date_disabled = (
        user_filter.disabled and user_filter.role is not Role.ADMIN
    )
    statement = _newest_statement(user_filter, size, after)
    for row in database().fetch_all(statement):
        user = User._from_row(row)
        at = user.disabled_at if by_date_disabled else user.created_at
        yield Cursor(str(at), "", user.id), user


def _newest_statement(
    user_filter: UserFilter, size: int, after: Cursor | None
) -> Select[Any]:
    """Return the query for users, newest first.

    It uses the index of the most selective filter.
    """
    date: Column[Any] = _C.created_at
    conditions: list[ColumnElement[bool]] = []
    if user_filter.role is Role.ADMIN:
        conditions.append(_C.role == Role.ADMIN.value)
    elif user_filter.disabled:
        date = _C.disabled_at
        conditions.append(date.is_not(None))
    elif user_filter.signed_in is False:
        conditions.append(_C.signed_in_at.is_(None))
    if after is not None:
        moment = _parse_cursor_moment(after)
        # The first condition is redundant, but the database enters the
        # index by it.
        conditions += [
            date <= moment,
            or_(date < moment, _C.id < after.id),
        ]
    newest = select(USERS).where(*conditions)
    return newest.order_by(date.desc(), _C.id.desc()).limit(size)


def _statements(
    user_filter: UserFilter, size: int, after: Cursor | None
) -> list[Select[Any]]:
    """Return all queries for a page, for the tests of their plans."""
    if not user_filter.search.strip():
        return [_newest_statement(user_filter, size, after)]
    ranges = _ranges(user_filter.search)
    return [each.statement(size, after) for each in ranges]


def _parse_cursor_moment(cursor: Cursor) -> datetime:
    """Return the moment that a cursor stands for; raise `InvalidValue`."""
    try:
        return parse_moment(cursor.first_value)
    except ValueError:
        raise InvalidValue(
            "after", "is not a valid cursor", code="invalid"
        ) from None


def _matches(user: User, user_filter: UserFilter) -> bool:
    """Return True if a user meets all filters."""
    return user is not _NOT_SHOWN and all(
        (
            user_filter.role in (None, user.role),
            user_filter.disabled in (None, user.disabled_at is not None),
            user_filter.signed_in in (None, user.signed_in_at is not None),
        )
    )

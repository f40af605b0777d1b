#!/usr/bin/env python3
"""Users by search text, filters and order, one page at a time.

A page costs about the same among a thousand users and among millions:
few matches are found by an index and sorted, and of many matches a part of
an index in the order of the list has enough. Where neither is so, at most
`MAX_ROWS_SCANNED` rows are scanned for one page.
"""

from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    func,
    literal,
    select,
    text,
)

from vestibule.core.text import without_accents
from vestibule.db import keyset
from vestibule.db.engine import database
from vestibule.db.factor_tables import FACTORS
from vestibule.db.keyset import Count, Cursor, Order, Source
from vestibule.db.models.user import Role, User
from vestibule.db.tables import USERS

#: Words of a search text; a user must have all of them.
MAX_WORDS = 8
#: Trigrams of a search text that the index is asked for.
MAX_TRIGRAMS = 48
_C = USERS.c
_TRIGRAM_MATCHES = text(
    "SELECT user_id FROM user_numbers WHERE number IN (SELECT rowid"
    " FROM user_search WHERE user_search MATCH :trigrams LIMIT :most)"
)
#: Queries that return a row if there is an index of trigrams.
_HAS_TRIGRAMS = {
    True: text("SELECT 1 FROM sqlite_schema WHERE name = 'user_search'"),
    False: text("SELECT 1 WHERE to_regclass('users_search_text') IS NOT NULL"),
}
#: The columns that sort a list: those of an index. Users without an email
#: are the exception: they are sorted by id.
_COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "email": (_C.email_key, _C.id),
    "name": (_C.last_key, _C.first_key, _C.id),
    "role": (_C.role, _C.created_at, _C.id),
    "disabled": (_C.disabled_at, _C.id),
    "created": (_C.created_at, _C.id),
    "signed_in": (_C.signed_in_at, _C.created_at, _C.id),
}
#: What `sort` may be: a column, or a column with "-" for descending.
SORTS = tuple(sign + name for name in _COLUMNS for sign in ("", "-"))
_NEWEST_FIRST = "-created"


class UserFilter(NamedTuple):
    """The conditions on users, and their order; `None` matches any value."""

    #: Words that are parts of an email or a name, case and accents aside.
    search: str = ""
    role: Role | None = None
    disabled: bool | None = None
    signed_in: bool | None = None
    #: One of `SORTS`; "" is the newest first, or the last disabled.
    sort: str = ""


class UserPage(NamedTuple):
    """A page of users, and the cursors of its neighbours."""

    users: list[User]
    next: Cursor | None
    previous: Cursor | None = None


def effective_sort(user_filter: UserFilter) -> str:
    """Return the order of a list, one of `SORTS`."""
    if user_filter.sort:
        return user_filter.sort
    return "-disabled" if user_filter.disabled else _NEWEST_FIRST


def search_page(
    user_filter: UserFilter, limit: int, cursor: Cursor | None = None
) -> UserPage:
    """Return at most `limit` of the users who meet the filter.

    A page with `next` may have fewer. Raise `InvalidValue` if `cursor` is
    not one of the list.
    """
    order = _order(user_filter)
    page = keyset.fetch(_source(user_filter), order, limit, cursor)
    users = [User._from_row(row) for row in page.rows]
    return UserPage(users, page.next, page.previous)


def count_users(user_filter: UserFilter) -> Count:
    """Return how many users meet the filter, within a bound."""
    return keyset.count(_source(user_filter))


def _source(user_filter: UserFilter) -> Source:
    """Return the rows that may match, and what they have to meet."""
    ids = _few_matches(user_filter)
    led = _leading_conditions(user_filter) if ids is None else [_C.id.in_(ids)]
    return Source(
        select(USERS).where(*led),
        partial(_conditions, user_filter),
        ids is not None,
    )


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


def _order(user_filter: UserFilter) -> Order:
    """Return the order of a list."""
    sort = effective_sort(user_filter)
    return Order(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))


def words_of(search: str) -> list[str]:
    """Return the words that a user must have, at most `MAX_WORDS`."""
    return without_accents(search).split()[:MAX_WORDS]


def _conditions(
    user_filter: UserFilter, columns: Any = _C
) -> list[ColumnElement[bool]]:
    """Return the conditions of the filter on the columns of users."""
    found = [
        columns.search_text.contains(word, autoescape=True)
        for word in words_of(user_filter.search)
    ]
    if user_filter.role is not None:
        found.append(columns.role == user_filter.role.value)
    for name, wanted in (
        ("disabled_at", user_filter.disabled),
        ("signed_in_at", user_filter.signed_in),
    ):
        if wanted is not None:
            none = columns[name].is_(None)
            found.append(~none if wanted else none)
    return found


def _leading_conditions(user_filter: UserFilter) -> list[ColumnElement[bool]]:
    """Return the condition that the index of the list's order can meet."""
    sort = effective_sort(user_filter).removeprefix("-")
    if sort == "created" and user_filter.role is Role.ADMIN:
        return [_C.role == Role.ADMIN.value]
    if sort == "created" and user_filter.signed_in is False:
        return [_C.signed_in_at.is_(None)]
    if sort == "disabled" and user_filter.disabled:
        return [_C.disabled_at.is_not(None)]
    return []


def _few_matches(user_filter: UserFilter) -> list[str] | None:
    """Return the ids of the users who may match, if an index finds few.

    They meet one condition of the filter. Return `None` if there are too
    many to sort, or no index.
    """
    found = _trigram_matches(words_of(user_filter.search))
    for condition, is_wanted in (
        (_C.role == Role.ADMIN.value, user_filter.role is Role.ADMIN),
        (_C.disabled_at.is_not(None), user_filter.disabled is True),
        (_C.signed_in_at.is_(None), user_filter.signed_in is False),
    ):
        if found is None and is_wanted:
            found = keyset.few(select(_C.id).where(condition))
    return found


def _trigram_matches(words: list[str]) -> list[str] | None:
    """Return the ids of users who have the trigrams of all words.

    Return `None` for too many, if no word is long enough, or without an
    index of trigrams.
    """
    trigrams = dict.fromkeys(
        "".join(letters)
        for word in words
        for letters in zip(word, word[1:], word[2:], strict=False)
    )
    opened = database()
    if not trigrams or not opened.fetch_all(_HAS_TRIGRAMS[opened.is_sqlite]):
        return None
    if not opened.is_sqlite:
        wanted = UserFilter(" ".join(words))
        return keyset.few(select(_C.id).where(*_conditions(wanted)))
    quoted = (
        '"{}"'.format(each.replace('"', '""'))
        for each in islice(trigrams, MAX_TRIGRAMS)
    )
    most = keyset.MAX_ROWS_SORTED
    rows = opened.fetch_all(
        _TRIGRAM_MATCHES,
        {"trigrams": " AND ".join(quoted), "most": most + 1},
    )
    return [row[0] for row in rows] if len(rows) <= most else None


def count_users_with_factor() -> int:
    """Return how many users have a confirmed second factor."""
    owners = func.count(func.distinct(FACTORS.c.user_id))
    found = database().fetch_all(
        select(owners).where(FACTORS.c.confirmed_at.is_not(None))
    )
    return int(found[0][0])

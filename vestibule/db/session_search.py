#!/usr/bin/env python3
"""Sessions by filters and order, one page at a time, for the admin lists.

The indexes of the table lead in every order but that of the last use, which
no index has: each use would change it. That order is for lists of at most
`MAX_ROWS_SORTED` sessions, which are read and sorted.
"""

from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, func, select

from vestibule.core.errors import InvalidValue
from vestibule.db import keyset
from vestibule.db.keyset import Cursor, Order, Page, Source
from vestibule.db.tables import USER_SESSIONS

_C = USER_SESSIONS.c
LAST_USED = "last_used"
#: The columns that sort a list.
_COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "created": (_C.created_at, _C.id),
    "user": (_C.user_id, _C.created_at, _C.id),
    "network": (_C.network, _C.created_at, _C.id),
    LAST_USED: (_C.last_seen_at, _C.id),
}
#: What `sort` may be: a column, or a column with "-" for descending.
SESSION_SORTS = tuple(sign + name for name in _COLUMNS for sign in ("", "-"))
NEWEST_SESSIONS_FIRST = "-created"


class SessionQuery(NamedTuple):
    """Which sessions to list, and their order; `None` does not filter."""

    user_id: str | None = None
    #: The client's network at the login.
    network: str | None = None
    #: One of `SESSION_SORTS`.
    sort: str = NEWEST_SESSIONS_FIRST


def order_of(sort: str) -> Order:
    """Return the order of a list; `sort` is one of `SESSION_SORTS`."""
    return Order(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))


def too_many_to_sort() -> InvalidValue:
    """Return the error for a list too long for the order of the last use."""
    return InvalidValue(
        "sort",
        f"needs a filter that at most {keyset.MAX_ROWS_SORTED} sessions meet",
        code="too_many_to_sort",
        most=keyset.MAX_ROWS_SORTED,
    )


def search_page(
    query: SessionQuery, limit: int, cursor: Cursor | None = None
) -> Page:
    """Return at most `limit` rows of sessions, expired ones among them.

    A page with `next` may have fewer. Raise `InvalidValue` for a cursor of
    another list, or if there are too many to sort by the last use.
    """
    return keyset.fetch(_source(query), order_of(query.sort), limit, cursor)


def _source(query: SessionQuery) -> Source:
    """Return the sessions that an index leads to, and what they must meet."""
    column = query.sort.removeprefix("-")
    conditions = [
        (name, value)
        for name in ("user_id", "network")
        if (value := getattr(query, name)) is not None
    ]
    led = [_C[name] == value for name, value in conditions[:1]]
    if column != "created" and (led or column == LAST_USED):
        ids = keyset.few(select(_C.id).where(*led))
        if ids is not None:
            rows = select(USER_SESSIONS).where(_C.id.in_(ids))
            return Source(rows, partial(_rest, conditions), True)
        if column == LAST_USED:
            raise too_many_to_sort()
        return Source(select(USER_SESSIONS), partial(_rest, conditions), False)
    rest = partial(_rest, conditions[1:])
    return Source(select(USER_SESSIONS).where(*led), rest, False)


def _rest(
    conditions: list[tuple[str, str]], columns: Any
) -> list[ColumnElement[bool]]:
    """Return the conditions that rows must meet, on the given columns.

    Not on bare columns: SQLite would enter another index by them.
    """
    return [
        func.coalesce(columns[name], "") == value for name, value in conditions
    ]

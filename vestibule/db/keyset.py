#!/usr/bin/env python3
"""Keyset pagination: a page of rows after, or before, the row of a cursor.

The cost of a page does not depend on its place: an index that begins with
the columns of the order is entered at the cursor. Rows whose first column
is NULL come last, in both directions of the order. Rows that meet the rest
of the conditions are looked for among a bounded number of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    func,
    literal,
    select,
    true,
    tuple_,
)

from vestibule.core.errors import InvalidValue
from vestibule.db.column_types import UTCMoment, parse_moment
from vestibule.db.engine import database

#: Rows that are scanned for one page at most.
MAX_ROWS_SCANNED = 3_000
#: Matches that are sorted for one page; with more, the order's index leads.
MAX_ROWS_SORTED = 1_000
#: Rows that are counted; a list says "more than" for more.
MAX_ROWS_COUNTED = 5_000

#: Returns conditions on columns, which may be those of a subquery.
Conditions = Callable[[Any], list[ColumnElement[bool]]]


class Order(NamedTuple):
    """The columns by which a list is sorted; the last one is unique."""

    columns: tuple[Column[Any], ...]
    is_descending: bool = False


class Cursor(NamedTuple):
    """The row at which a page begins or ends, which is not on the page."""

    #: The values of the columns of the order, as text; `None` is NULL.
    values: tuple[str | None, ...]
    #: True if the page is the one before the row.
    is_backward: bool = False


class Page(NamedTuple):
    """Rows in the order of the list, and the cursors of their neighbours."""

    rows: list[Any]
    next: Cursor | None
    previous: Cursor | None


class Source(NamedTuple):
    """Where the rows of a list come from."""

    #: The rows that an index leads to.
    rows: Select[Any]
    #: The conditions that these rows meet, or not.
    rest: Conditions
    #: True if they are so few that all of them may be read and sorted.
    is_small: bool


class Count(NamedTuple):
    """How many rows a list has; at least so many if not `is_exact`."""

    number: int
    is_exact: bool


def fetch(
    source: Source, order: Order, limit: int, cursor: Cursor | None
) -> Page:
    """Return at most `limit` rows of a list that follow the cursor.

    A page with `next` may have fewer: the scan has reached
    `MAX_ROWS_SCANNED` then. Raise `InvalidValue` for a cursor of another
    order.
    """
    found, end = list[Any](), None
    rest = source.rest(source.rows.selected_columns)
    is_scan = bool(rest) and not source.is_small
    rows = source.rows if is_scan else source.rows.where(*rest)
    for each in statements(order, rows, cursor):
        missing = limit + 1 - len(found)
        if is_scan:
            # The outer query keeps the order and stops at its limit.
            scanned = each.limit(MAX_ROWS_SCANNED).subquery()
            page = select(scanned).where(*source.rest(scanned.c))
            found += database().fetch_all(page.limit(missing))
        else:
            found += database().fetch_all(each.limit(missing))
        if len(found) > limit:
            break
        end = _end_of_scan(each) if is_scan else None
        if end is not None:
            return _cut_off(found, order, end, cursor)
    return page_of(found, order, limit, cursor)


def fetch_in_memory(
    rows: Iterable[Any], order: Order, limit: int, cursor: Cursor | None
) -> Page:
    """Return a page of rows in memory, in the order that `fetch` has.

    Raise `InvalidValue` for a cursor of another order.
    """

    def key(values: Sequence[Any]) -> list[tuple[bool, Any]]:
        """Return what compares rows; values may be missing."""
        return [(each is None, each or "") for each in values]

    def values_of(row: Any) -> list[Any]:
        """Return the values of the columns of the order."""
        return [getattr(row, column.key) for column in order.columns]

    keys = [(key(values_of(row)), row) for row in rows]
    if cursor is not None:
        at = key(_parse(order, cursor.values, may_be_none=True))
        is_backward = cursor.is_backward
        keys = [
            (each, row)
            for each, row in keys
            if each != at and _follows(each, at, order) is not is_backward
        ]
    ordered = [
        row
        for is_null in (False, True)
        for each, row in sorted(
            (pair for pair in keys if pair[0][0][0] is is_null),
            key=lambda pair: pair[0],
            reverse=order.is_descending,
        )
    ]
    if cursor is not None and cursor.is_backward:
        ordered.reverse()
    return page_of(ordered[: limit + 1], order, limit, cursor)


def _follows(
    one: list[tuple[bool, Any]], other: list[tuple[bool, Any]], order: Order
) -> bool:
    """Return True if the key `one` comes after `other` in an order."""
    if one[0][0] is not other[0][0]:
        return one[0][0]
    return one < other if order.is_descending else one > other


def count(source: Source) -> Count:
    """Return how many rows a list has among `MAX_ROWS_COUNTED`."""
    most = MAX_ROWS_COUNTED
    led = source.rows.limit(most + 1).subquery()
    matches = func.count().filter(*source.rest(led.c), true())
    found: Sequence[Any] = database().fetch_all(
        select(matches, func.count()).select_from(led)
    )
    number, read = found[0]
    return Count(min(number, most), read <= most)


def few(keys: Select[Any]) -> list[Any] | None:
    """Return the keys that a query finds; `None` if there are too many."""
    found = database().fetch_all(keys.limit(MAX_ROWS_SORTED + 1))
    return None if len(found) > MAX_ROWS_SORTED else [row[0] for row in found]


def _end_of_scan(rows: Select[Any]) -> Any | None:
    """Return the last row that a scan of `rows` reads, if it is cut off."""
    last = rows.offset(MAX_ROWS_SCANNED - 1).limit(2)
    found = database().fetch_all(last)
    return found[0] if len(found) > 1 else None


def _cut_off(
    found: Sequence[Any], order: Order, end: Any, cursor: Cursor | None
) -> Page:
    """Return the page of a scan that was cut off after the row `end`."""
    page = page_of(found, order, len(found), cursor)
    if cursor is not None and cursor.is_backward:
        following = page.next or cursor_at(order, end)
        return Page(page.rows, following, cursor_at(order, end, True))
    previous = None if cursor is None else Cursor(cursor.values, True)
    return Page(page.rows, cursor_at(order, end), page.previous or previous)


def cursor_at(order: Order, row: Any, is_backward: bool = False) -> Cursor:
    """Return the cursor of a row, which has the columns by their names."""
    values = [getattr(row, column.key) for column in order.columns]
    return Cursor(
        tuple(
            None
            if value is None
            else value.isoformat()
            if isinstance(value, datetime)
            else str(value)
            for value in values
        ),
        is_backward,
    )


def statements(
    order: Order, rows: Select[Any], cursor: Cursor | None
) -> Iterator[Select[Any]]:
    """Yield the queries whose rows, one after the other, follow the cursor.

    There are two if the first column may be NULL: an index has those rows
    apart. One more is for the rows with the cursor's first value, if their
    number is the rest of the order: SQLite enters an index by a comparison
    of `(column, number)` at the column only, and would read all of them.
    Raise `InvalidValue` for a cursor of another order.
    """
    is_backward = cursor is not None and cursor.is_backward
    given = None if cursor is None else _parse(order, cursor.values)
    segments = [False, True] if order.columns[0].nullable else [False]
    if is_backward:
        segments.reverse()
    if given is not None and len(segments) > 1:
        begin = segments.index(given[0] is None)
        segments = segments[begin:]
    if given is not None and given[0] is not None and _has_row_number(order):
        first = order.columns[0]
        same = rows.where(first == literal(given[0], first.type))
        yield _segment(
            Order(order.columns[1:], order.is_descending),
            same,
            False,
            is_backward,
            given[1:],
        )
        given = given[:1]
    for number, is_null in enumerate(segments):
        yield _segment(
            order, rows, is_null, is_backward, None if number else given
        )


def _has_row_number(order: Order) -> bool:
    """Return True if an order is that of a column, then of a number."""
    return len(order.columns) == 2 and order.columns[1].type.python_type is int


def page_of(
    found: Sequence[Any], order: Order, limit: int, cursor: Cursor | None
) -> Page:
    """Return the page of at most `limit + 1` rows that follow the cursor."""
    is_backward = cursor is not None and cursor.is_backward
    rows, has_more = list(found[:limit]), len(found) > limit
    if is_backward:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    has_next = is_backward or has_more
    has_previous = has_more if is_backward else cursor is not None
    return Page(
        rows,
        cursor_at(order, rows[-1]) if has_next else None,
        cursor_at(order, rows[0], True) if has_previous else None,
    )


def _segment(
    order: Order,
    rows: Select[Any],
    is_null: bool,
    is_backward: bool,
    after: Sequence[Any] | None,
) -> Select[Any]:
    """Return the query for the rows with, or without, a first value.

    They follow the values `after` of all columns, or of the first ones.
    """
    first, columns = order.columns[0], order.columns
    conditions: list[ColumnElement[bool]] = []
    if is_null:
        conditions.append(first.is_(None))
        columns = columns[1:]
    elif first.nullable:
        conditions.append(first.is_not(None))
    is_descending = order.is_descending is not is_backward
    if after is not None:
        values = after[1:] if is_null else after
        compared = columns[: len(values)]
        here, there = (
            tuple_(*compared),
            tuple_(
                *(
                    literal(value, column.type)
                    for value, column in zip(values, compared, strict=True)
                )
            ),
        )
        conditions.append(here < there if is_descending else here > there)
    return rows.where(*conditions).order_by(
        *(each.desc() if is_descending else each for each in columns)
    )


def _parse(
    order: Order, values: Sequence[str | None], may_be_none: bool = False
) -> list[Any]:
    """Return the values of a cursor as those of the columns.

    Rows in memory may be without a value that a table needs.
    """
    try:
        if len(values) != len(order.columns):
            raise ValueError
        return [
            None
            if value is None and may_be_none
            else _parse_value(column, value)
            for column, value in zip(order.columns, values, strict=True)
        ]
    except (ValueError, OverflowError):
        raise InvalidValue(
            "after", "is not a valid cursor", code="invalid"
        ) from None


def _parse_value(column: Column[Any], value: str | None) -> Any:
    """Return a value of a column; raise `ValueError` if it cannot be one."""
    if value is None:
        if not column.nullable:
            raise ValueError
        return None
    if isinstance(column.type, UTCMoment):
        return parse_moment(value)
    if column.type.python_type is not int:
        return value
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number

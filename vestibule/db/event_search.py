#!/usr/bin/env python3
"""Events by filters and order, one page at a time, for the admin lists.

The indexes of the table lead in every order, or the one of a filter that
few events meet.
"""

from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, func, select

from vestibule.db import keyset
from vestibule.db.engine import database
from vestibule.db.events import (
    Event,
    EventFilter,
    event_of,
    first_id_of,
)
from vestibule.db.keyset import Count, Cursor, Order, Source
from vestibule.db.tables import EVENTS

_C = EVENTS.c
#: The columns that sort a list: those of an index.
_COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "time": (_C.id,),
    "kind": (_C.kind, _C.id),
    "user": (_C.user_id, _C.id),
    "network": (_C.network, _C.id),
}
#: What `sort` may be: a column, or a column with "-" for descending.
EVENT_SORTS = tuple(sign + name for name in _COLUMNS for sign in ("", "-"))
NEWEST_FIRST = "-time"


class EventPage(NamedTuple):
    """A page of events, and the cursors of its neighbours."""

    events: list[Event]
    next: Cursor | None
    previous: Cursor | None = None


def search_page(
    event_filter: EventFilter, sort: str, limit: int, cursor: Cursor | None
) -> EventPage:
    """Return at most `limit` events; `sort` is one of `EVENT_SORTS`.

    A page with `next` may have fewer. Raise `InvalidValue` if `cursor` is
    not one of the list.
    """
    order = Order(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))
    source = _source(event_filter, sort.removeprefix("-"))
    page = keyset.fetch(source, order, limit, cursor)
    return EventPage(
        [event_of(row) for row in page.rows],
        page.next,
        page.previous,
    )


def count_events(event_filter: EventFilter) -> Count:
    """Return how many events meet the filter, within a bound."""
    return keyset.count(_source(event_filter, "time"))


def count_accounts(kind: str, since: datetime) -> int:
    """Return how many users have an event of a kind since a moment.

    Only the newest `MAX_ROWS_COUNTED` of these events count.
    """
    newest = (
        select(_C.user_id)
        .where(_C.kind == kind, _C.id >= first_id_of(since))
        .order_by(_C.id.desc())
        .limit(keyset.MAX_ROWS_COUNTED)
        .subquery()
    )
    counted = select(func.count(newest.c.user_id.distinct()))
    return int(database().fetch_all(counted)[0][0])


def _source(event_filter: EventFilter, column: str) -> Source:
    """Return the events that an index leads to, and what they must meet."""
    conditions = [
        (name, value)
        for name in ("user_id", "network", "kind")
        if (value := getattr(event_filter, name)) is not None
    ]
    times = _times(event_filter)
    for name, value in conditions:
        ids = keyset.few(select(_C.id).where(_C[name] == value, *times))
        if ids is not None:
            rows = select(EVENTS).where(_C.id.in_(ids))
            return Source(rows, partial(_rest, conditions, None), True)
    if column != "time":
        rest = partial(_rest, conditions, event_filter)
        return Source(select(EVENTS), rest, False)
    led = [_C[name] == value for name, value in conditions[:1]]
    rows = select(EVENTS).where(*led, *times)
    return Source(rows, partial(_rest, conditions[1:], None), False)


def _times(
    event_filter: EventFilter, columns: Any = _C
) -> list[ColumnElement[bool]]:
    """Return the bounds of the ids."""
    found = []
    if event_filter.since is not None:
        found.append(columns.id >= first_id_of(event_filter.since))
    if event_filter.until is not None:
        found.append(columns.id < first_id_of(event_filter.until))
    return found


def _rest(
    conditions: list[tuple[str, str]],
    bounds: EventFilter | None,
    columns: Any,
) -> list[ColumnElement[bool]]:
    """Return the conditions that rows must meet, on the given columns.

    Not on bare columns: SQLite would enter another index by them.
    """
    found = [
        func.coalesce(columns[name], "") == value for name, value in conditions
    ]
    return found + ([] if bounds is None else _times(bounds, columns))

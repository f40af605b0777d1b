#!/usr/bin/env python3
"""The events table: what happened, to whom, by whom, when and from where.

The id of a row is the time of the event, in 256ths of a microsecond since
1970. So rows lie in the order of time, a page continues below the last id
of the page before, and a purge deletes the smallest ids. A page with
several conditions scans at most `MAX_ROWS_SCANNED` rows, however many
events are stored.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from sqlalchemy import (
    BinaryExpression,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from vestibule.db.engine import database
from vestibule.db.hourly_counts import Bucket, add_counts, hour_of
from vestibule.db.statements import MAX_BATCH_ROWS, insert_into
from vestibule.db.tables import EVENTS, USERS

#: Rows that are scanned for one page at most.
MAX_ROWS_SCANNED = 1_000
#: Rows that a purge deletes in one transaction.
MAX_PURGE_ROWS = MAX_BATCH_ROWS
#: The kind of event that sets a user's last login.
LOGIN_KIND = "login"
#: Microseconds by which an id may be later than its event, when more than
#: 256 events happen in the same microsecond.
MAX_NUMBERING_DELAY_MICROSECONDS = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_IDS_PER_MICROSECOND = 256
#: Ids are from minus this to this less 1: a column has 64 bits.
_ID_BOUND = 2**63
_COLUMN_NAMES = [each.name for each in EVENTS.c if each.name != "id"]


@dataclass(frozen=True)
class Event:
    """One event, or several equal ones."""

    at: datetime
    kind: str
    #: The user it happened to, and the actor if that is another one.
    user_id: str | None = None
    by_id: str | None = None
    ip: str | None = None
    #: The network that counts as one client.
    network: str | None = None
    user_agent: str | None = None
    #: The public handle of the session that it is about.
    handle: str | None = None
    reason: str | None = None
    #: The number of sessions that it is about.
    count: int | None = None
    #: How often it happened; `at` is the last time then.
    times: int = 1
    #: The id of its row, once it is stored.
    id: int | None = None


class EventFilter(NamedTuple):
    """The conditions on events; `None` matches any value.

    `since` is inclusive and `until` exclusive.
    """

    user_id: str | None = None
    kind: str | None = None
    network: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class EventPage(NamedTuple):
    """A page of events, and the id below which there may be more.

    A page with `next` may have fewer events than the limit: the scan has
    reached `MAX_ROWS_SCANNED` then.
    """

    events: list[Event]
    next: int | None


def insert_events(
    events: Sequence[Event], amounts: Mapping[Bucket, int] | None = None
) -> None:
    """Store events and their hourly counts in one transaction.

    `amounts` are added to hourly counts that belong to no event.
    """
    sums = Counter(amounts or {})
    logins: dict[str, datetime] = {}
    with database().transaction() as connection:
        for one in events:
            _insert_event(connection, one)
            sums[Bucket(hour_of(one.at), one.kind)] += one.times
            if one.kind == LOGIN_KIND and one.user_id is not None:
                last = logins.get(one.user_id, one.at)
                logins[one.user_id] = max(last, one.at)
        _update_last_logins(connection, logins)
        add_counts(connection, sums)


def fetch_page(
    event_filter: EventFilter, limit: int, before: int | None = None
) -> EventPage:
    """Return the newest `limit` events, or those below the id `before`."""
    scan_end = None
    # With one condition, every row that its index leads to is a match.
    if len(_equality_conditions(event_filter)) > 1:
        # Read first, so that no event that is stored between the two
        # queries can be on two pages.
        rows = database().fetch_all(_scan_end_statement(event_filter, before))
        scan_end = rows[0][0] if rows else None
    statement = _page_statement(event_filter, limit + 1, before, scan_end)
    found = [
        Event(_moment_of(row[0]), *row[1:], row[0])
        for row in database().fetch_all(statement)
    ]
    if len(found) > limit:
        return EventPage(found[:limit], found[limit - 1].id)
    return EventPage(found, None if scan_end is None else scan_end + 1)


def count_events(event_filter: EventFilter) -> int:
    """Return the number of events that meet the filter."""
    statement = select(func.count()).select_from(EVENTS)
    conditions = _conditions(event_filter)
    return int(database().fetch_all(statement.where(*conditions))[0][0])


def purge_batch(before: datetime) -> int:
    """Delete the oldest events before a moment; return how many.

    At most `MAX_PURGE_ROWS`: the caller repeats it while it returns as many.
    """
    oldest = (
        select(EVENTS.c.id)
        .where(EVENTS.c.id < _first_id_of(before))
        .order_by(EVENTS.c.id)
        .limit(MAX_PURGE_ROWS)
    )
    # Most often there is nothing to delete, and a read finds that out.
    if not database().fetch_all(oldest.limit(1)):
        return 0
    with database().transaction() as connection:
        return connection.execute(
            delete(EVENTS).where(EVENTS.c.id.in_(oldest))
        ).rowcount


def _page_statement(
    event_filter: EventFilter,
    limit: int,
    before: int | None,
    scan_end: int | None,
) -> Select[Any]:
    """Return the query for a page of ids above `scan_end`."""
    conditions = _conditions(event_filter, before, scan_end)
    newest = select(EVENTS).where(*conditions)
    return newest.order_by(EVENTS.c.id.desc()).limit(limit)


def _scan_end_statement(
    event_filter: EventFilter, before: int | None
) -> Select[Any]:
    """Return the query for the first id that a page does not scan."""
    led = select(EVENTS.c.id).where(
        *_equality_conditions(event_filter)[:1],
        *_id_conditions(event_filter, before),
    )
    return led.order_by(EVENTS.c.id.desc()).offset(MAX_ROWS_SCANNED).limit(1)


def _insert_event(connection: Connection, one: Event) -> None:
    """Insert a row with the first free id of its microsecond."""
    statement = _insert_statement()
    values = {name: getattr(one, name) for name in _COLUMN_NAMES}
    start = _first_id_of(one.at)
    delay = MAX_NUMBERING_DELAY_MICROSECONDS * _IDS_PER_MICROSECOND
    for first in range(start, start + delay, _IDS_PER_MICROSECOND):
        last = first + _IDS_PER_MICROSECOND - 1
        # Another machine may take the id at the same moment.
        if connection.execute(
            statement, values | {"first": first, "last": last}
        ).first():
            return


def _update_last_logins(
    connection: Connection, logins: Mapping[str, datetime]
) -> None:
    """Write the times of users' last logins, unless a later one is stored.

    The rows are locked in a fixed order, so that two transactions never
    wait for each other.
    """
    last = USERS.c.signed_in_at
    for user_id in sorted(logins):
        at = logins[user_id]
        connection.execute(
            update(USERS)
            .where(USERS.c.id == user_id, or_(last.is_(None), last < at))
            .values(signed_in_at=at)
        )


def _insert_statement() -> ReturningInsert[Any]:
    """Return the statement that inserts a row unless its id is taken."""
    first = bindparam("first", type_=EVENTS.c.id.type)
    last = bindparam("last", type_=EVENTS.c.id.type)
    free = select(func.coalesce(func.max(EVENTS.c.id) + 1, first)).where(
        EVENTS.c.id.between(first, last)
    )
    return (
        insert_into(EVENTS)
        .values(id=free.scalar_subquery())
        .on_conflict_do_nothing()
        .returning(EVENTS.c.id)
    )


def _equality_conditions(
    event_filter: EventFilter,
) -> list[BinaryExpression[bool]]:
    """Return the conditions on columns, the most selective one first."""
    return [
        EVENTS.c[name] == getattr(event_filter, name)
        for name in ("user_id", "network", "kind")
        if getattr(event_filter, name) is not None
    ]


def _conditions(
    event_filter: EventFilter,
    before: int | None = None,
    scan_end: int | None = None,
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that the rows of a page must meet."""
    conditions = _equality_conditions(event_filter)
    # Only the first condition is on a bare column, so SQLite has to use its
    # index. It is met by the fewest rows, which SQLite does not know.
    yield from conditions[:1]
    for other in conditions[1:]:
        yield func.coalesce(other.left, "") == other.right
    yield from _id_conditions(event_filter, before, scan_end)


def _id_conditions(
    event_filter: EventFilter,
    before: int | None,
    scan_end: int | None = None,
) -> Iterator[ColumnElement[bool]]:
    """Yield the bounds of the ids, at most one on either side.

    With two lower bounds SQLite would enter the index at the first, and
    read each row that only the second excludes.
    """
    since, until = event_filter.since, event_filter.until
    lower = [] if since is None else [_first_id_of(since)]
    upper = [] if until is None else [_first_id_of(until)]
    if scan_end is not None:
        lower.append(scan_end + 1)
    if before is not None:
        upper.append(before)
    if lower:
        yield EVENTS.c.id >= max(lower)
    if upper:
        yield EVENTS.c.id < min(upper)


def _first_id_of(moment: datetime) -> int:
    """Return the first id of a moment.

    A moment outside the range of a 64-bit column gets the nearest id in
    it, where there are no events.
    """
    number = (moment - _EPOCH) // _MICROSECOND * _IDS_PER_MICROSECOND
    return min(max(number, -_ID_BOUND), _ID_BOUND - 1)


def _moment_of(id: int) -> datetime:
    """Return the moment of an id."""
    return _EPOCH + timedelta(microseconds=id // _IDS_PER_MICROSECOND)

#!/usr/bin/env python3
"""What happened, as rows: who, what, when, from where.

Its law: the number of a row is the moment at which it happened, in 256ths
of a microsecond since 1970. So rows lie in the order of time, a page goes
on after the last number of the one before, and what is too old is what
has a number that is too small. A page that has to meet several
conditions looks at `LOOKED` events at most, however many there are.
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

#: Rows that are looked at for one page at most.
MAX_ROWS_SCANNED = 1_000
#: Rows that a purge deletes in one transaction.
MAX_PURGE_ROWS = MAX_BATCH_ROWS
#: The kind of event that says when a user was here last.
LOGIN_KIND = "login"
#: How many microseconds later than it happened a row may be numbered,
#: where so much happened at once.
MAX_NUMBERING_DELAY_MICROSECONDS = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_IDS_PER_MICROSECOND = 256
#: How many numbers a column of 64 bits has on either side of 0.
_ID_BOUND = 2**63
_COLUMN_NAMES = [each.name for each in EVENTS.c if each.name != "id"]


@dataclass(frozen=True)
class Event:
    """One event, or several that are alike."""

    at: datetime
    kind: str
    #: To whom it happened, and who did it if that is somebody else.
    user_id: str | None = None
    by_id: str | None = None
    ip: str | None = None
    #: The network that one client is taken to have for itself.
    network: str | None = None
    user_agent: str | None = None
    #: The public handle of the session it is about.
    handle: str | None = None
    reason: str | None = None
    #: Of how many sessions it tells.
    count: int | None = None
    #: How often it happened; `at` is the last time then.
    times: int = 1
    #: The number of its row, once it has one.
    id: int | None = None


class EventFilter(NamedTuple):
    """Which events are asked for; `None` is any."""

    user_id: str | None = None
    kind: str | None = None
    network: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class EventPage(NamedTuple):
    """A page of events, and the number below which there may be more.

    A page that is not full and has a number looked at all it may.
    """

    events: list[Event]
    next: int | None


def insert_events(
    happenings: Sequence[Event], more: Mapping[Bucket, int] | None = None
) -> None:
    """Keep what happened, and the sums of it; all of it or nothing.

    `more` has amounts that belong to no event.
    """
    sums = Counter(more or {})
    logins: dict[str, datetime] = {}
    with database().transaction() as connection:
        for one in happenings:
            _insert_event(connection, one)
            sums[Bucket(hour_of(one.at), one.kind)] += one.times
            if one.kind == LOGIN_KIND and one.user_id is not None:
                last = logins.get(one.user_id, one.at)
                logins[one.user_id] = max(last, one.at)
        _update_last_logins(connection, logins)
        add_counts(connection, sums)


def fetch_page(
    wanted: EventFilter, most: int, before: int | None = None
) -> EventPage:
    """Return the newest `most` events, or those below the number `before`."""
    unlooked = None
    # What one index leads to is wanted, all of it.
    if len(_equality_conditions(wanted)) > 1:
        # Asked for first, so that what comes meanwhile is on no two pages.
        rows = database().fetch_all(_scan_end_statement(wanted, before))
        unlooked = rows[0][0] if rows else None
    found = [
        Event(_moment_of(row[0]), *row[1:], row[0])
        for row in database().fetch_all(
            _page_statement(wanted, most + 1, before, unlooked)
        )
    ]
    if len(found) > most:
        return EventPage(found[:most], found[most - 1].id)
    return EventPage(found, None if unlooked is None else unlooked + 1)


def count_events(wanted: EventFilter) -> int:
    """Return how many events there are of the wanted ones."""
    number = select(func.count()).select_from(EVENTS)
    return int(database().fetch_all(number.where(*_conditions(wanted)))[0][0])


def purge_batch(before: datetime) -> int:
    """Delete the oldest of what happened before a moment; count them.

    `BATCH` at most: whoever has to delete many asks again.
    """
    oldest = (
        select(EVENTS.c.id)
        .where(EVENTS.c.id < _first_id_of(before))
        .order_by(EVENTS.c.id)
        .limit(MAX_PURGE_ROWS)
    )
    # Nothing to do is the rule, and is found out without a write.
    if not database().fetch_all(oldest.limit(1)):
        return 0
    with database().transaction() as connection:
        return connection.execute(
            delete(EVENTS).where(EVENTS.c.id.in_(oldest))
        ).rowcount


def _page_statement(
    wanted: EventFilter, most: int, before: int | None, unlooked: int | None
) -> Select[Any]:
    """Return the statement that finds a page above a number."""
    newest = select(EVENTS).where(*_conditions(wanted, before, unlooked))
    return newest.order_by(EVENTS.c.id.desc()).limit(most)


def _scan_end_statement(
    wanted: EventFilter, before: int | None
) -> Select[Any]:
    """Return the statement for the first number that is not looked at."""
    led = select(EVENTS.c.id).where(
        *_equality_conditions(wanted)[:1], *_id_conditions(wanted, before)
    )
    return led.order_by(EVENTS.c.id.desc()).offset(MAX_ROWS_SCANNED).limit(1)


def _insert_event(connection: Connection, one: Event) -> None:
    """Insert a row with the first number of its moment that is free."""
    statement = _insert_statement()
    given = {name: getattr(one, name) for name in _COLUMN_NAMES}
    first = _first_id_of(one.at)
    for number in range(
        first,
        first + MAX_NUMBERING_DELAY_MICROSECONDS * _IDS_PER_MICROSECOND,
        _IDS_PER_MICROSECOND,
    ):
        last = number + _IDS_PER_MICROSECOND - 1
        # Another machine may take the number in the same moment.
        if connection.execute(
            statement, given | {"first": number, "last": last}
        ).first():
            return


def _update_last_logins(
    connection: Connection, logins: Mapping[str, datetime]
) -> None:
    """Write when users were here last, unless later is written already.

    In one order, so that two who write never wait for each other.
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
    """Return the statement that inserts a row unless its number is taken."""
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


def _equality_conditions(wanted: EventFilter) -> list[BinaryExpression[bool]]:
    """Return what columns have to be; the first condition leads."""
    return [
        EVENTS.c[name] == getattr(wanted, name)
        for name in ("user_id", "network", "kind")
        if getattr(wanted, name) is not None
    ]


def _conditions(
    wanted: EventFilter, before: int | None = None, unlooked: int | None = None
) -> Iterator[ColumnElement[bool]]:
    """Return what the rows of the wanted events have to meet."""
    given = _equality_conditions(wanted)
    # The first is met by the fewest rows, which SQLite does not know: a
    # term that is no bare column keeps it from the others' indexes.
    yield from given[:1]
    for other in given[1:]:
        yield func.coalesce(other.left, "") == other.right
    yield from _id_conditions(wanted, before, unlooked)


def _id_conditions(
    wanted: EventFilter, before: int | None, unlooked: int | None = None
) -> Iterator[ColumnElement[bool]]:
    """Return between which numbers the wanted events are.

    One bound on either side: of two SQLite enters the index by the first
    and passes over what the second leaves out.
    """
    lower = [] if wanted.since is None else [_first_id_of(wanted.since)]
    upper = [] if wanted.until is None else [_first_id_of(wanted.until)]
    if unlooked is not None:
        lower.append(unlooked + 1)
    if before is not None:
        upper.append(before)
    if lower:
        yield EVENTS.c.id >= max(lower)
    if upper:
        yield EVENTS.c.id < min(upper)


def _first_id_of(moment: datetime) -> int:
    """Return the first number of a moment.

    Before and after all numbers that a column can hold it is the first or
    the last of them: nothing has happened there.
    """
    number = (moment - _EPOCH) // _MICROSECOND * _IDS_PER_MICROSECOND
    return min(max(number, -_ID_BOUND), _ID_BOUND - 1)


def _moment_of(id: int) -> datetime:
    """Return the moment of a number."""
    return _EPOCH + timedelta(microseconds=id // _IDS_PER_MICROSECOND)

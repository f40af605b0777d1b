#!/usr/bin/env python3
"""Mails of the queue by filters and order, for the lists of admins.

Rows for addresses without an account are not listed. The indexes of the
table lead in every order; few mails of a filter are read and sorted.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, func, select

from vestibule.db import keyset
from vestibule.db.engine import database
from vestibule.db.keyset import Count, Cursor, Order, Source
from vestibule.db.outgoing_mails import (
    MAIL_COLUMNS,
    NOTHING,
    OutgoingMail,
    mail_of,
)
from vestibule.db.tables import OUTGOING_MAILS

_C = OUTGOING_MAILS.c
#: The columns that sort a list: those of an index, then the id.
_COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "created": (_C.created_at, _C.id),
    "kind": (_C.kind, _C.created_at, _C.id),
    "to": (_C.address_key, _C.created_at, _C.id),
    "user": (_C.user_id, _C.created_at, _C.id),
    "state": (_C.state, _C.kind, _C.created_at, _C.id),
    "attempts": (_C.tries, _C.created_at, _C.id),
    "error": (_C.error, _C.created_at, _C.id),
}
#: What `sort` may be: a column, or a column with "-" for descending.
MAIL_SORTS = tuple(sign + name for name in _COLUMNS for sign in ("", "-"))
NEWEST_MAILS_FIRST = "-created"


@dataclass(frozen=True)
class MailFilter:
    """The mails of a list, in a state or of a user, and their order."""

    state: str | None = None
    user_id: str | None = None
    #: One of `MAIL_SORTS`; "" is the newest first.
    sort: str = ""


@dataclass(frozen=True)
class MailPage:
    """Some mails, and the cursors of the pages beside them."""

    mails: list[OutgoingMail]
    next: Cursor | None
    previous: Cursor | None


def search_page(
    wanted: MailFilter, limit: int, cursor: Cursor | None
) -> MailPage:
    """Return at most `limit` mails of a list.

    A page with `next` may have fewer. Raise `InvalidValue` for a cursor of
    another order.
    """
    sort = wanted.sort or NEWEST_MAILS_FIRST
    order = Order(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))
    found = keyset.fetch(_source(wanted), order, limit, cursor)
    return MailPage(
        [mail_of(row) for row in found.rows], found.next, found.previous
    )


def count(wanted: MailFilter) -> Count:
    """Return how many mails a list has, within a bound."""
    return keyset.count(_source(wanted))


def find(ids: Collection[str]) -> list[OutgoingMail]:
    """Return the listed mails with these ids, newest first."""
    return _newest(len(ids), _C.id.in_(ids))


def newest(
    most: int, state: str | None = None, user_id: str | None = None
) -> list[OutgoingMail]:
    """Return the newest mails, in a state or of a user if given."""
    conditions: list[ColumnElement[bool]] = []
    if state is not None:
        conditions.append(_C.state == state)
    if user_id is not None:
        conditions.append(_C.user_id == user_id)
    return _newest(most, *conditions)


def _newest(most: int, *conditions: ColumnElement[bool]) -> list[OutgoingMail]:
    """Return the newest mails that meet the conditions."""
    found = database().fetch_all(
        select(*MAIL_COLUMNS)
        .where(_C.kind != NOTHING, *conditions)
        .order_by(_C.created_at.desc(), _C.id)
        .limit(most)
    )
    return [mail_of(row) for row in found]


def _source(wanted: MailFilter) -> Source:
    """Return the mails that an index leads to, and what they must meet."""
    conditions = [
        (name, value)
        for name in ("user_id", "state")
        if (value := getattr(wanted, name)) is not None
    ]
    # The key of an address sorts, and is no field of a mail.
    rows = select(*MAIL_COLUMNS, _C.address_key)
    rest = partial(_rest, conditions)
    for name, value in conditions:
        ids = keyset.few(select(_C.id).where(_C[name] == value))
        if ids is not None:
            return Source(rows.where(_C.id.in_(ids)), rest, True)
    is_by_time = wanted.sort.removeprefix("-") in ("", "created")
    if is_by_time and wanted.user_id is not None:
        rows = rows.where(_C.user_id == wanted.user_id)
    return Source(rows, rest, False)


def _rest(
    conditions: list[tuple[str, str]], columns: Any
) -> list[ColumnElement[bool]]:
    """Return the conditions that rows must meet, on the given columns.

    Not on bare columns: SQLite would enter another index by them.
    """
    return [
        func.coalesce(columns.kind, "") != NOTHING,
        *(
            func.coalesce(columns[name], "") == value
            for name, value in conditions
        ),
    ]

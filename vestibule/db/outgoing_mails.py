#!/usr/bin/env python3
"""The table outgoing_mails: the queue of mails, shared by all machines.

A mail is inserted in the transaction of the change that it tells of, so
there is neither a change without its mail nor a mail without its change. A
sender leases mails for a minute; if it dies, another one takes them after
that. So a mail may be sent twice, but none is lost.
"""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from vestibule.core import clock
from vestibule.core.text import email_key
from vestibule.db import keyset
from vestibule.db.engine import database
from vestibule.db.keyset import Count, Cursor, Order, Source
from vestibule.db.statements import delete_in_batches
from vestibule.db.tables import OUTGOING_MAILS

#: For how long one process has a mail to send.
LEASE = timedelta(seconds=60)
#: Waits before the next attempts; the last one repeats.
RETRY_WAITS = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 1800, 3600)
)
#: For how long sent and failed mails stay listed.
KEPT = timedelta(days=7)
#: The kind of a row for an address without an account: nothing is sent.
#: It is stored like any other, so that both cost the same time.
NOTHING = "nothing"

QUEUED, SENT, FAILED = "queued", "sent", "failed"
STATES = (QUEUED, SENT, FAILED)
_MAIL = OUTGOING_MAILS.c


@dataclass(frozen=True)
class NewMail:
    """A mail to queue: its kind, recipient, and what its text needs."""

    kind: str
    address: str
    #: How long it may be sent; what it carries is valid no longer.
    lifetime: timedelta
    user_id: str | None = None
    language: str | None = None
    network: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OutgoingMail:
    """A row of the queue."""

    id: str
    created_at: datetime
    kind: str
    user_id: str | None
    address: str
    language: str | None
    detail: dict[str, Any]
    state: str
    due_at: datetime
    expires_at: datetime
    tries: int
    error: str | None
    sent_at: datetime | None


_COLUMNS = [_MAIL[name] for name in OutgoingMail.__dataclass_fields__]


def add_in_transaction(
    connection: Connection, mails: Sequence[NewMail]
) -> None:
    """Queue mails within the caller's transaction."""
    now = clock.now()
    for mail in mails:
        connection.execute(
            insert(OUTGOING_MAILS).values(
                id=str(uuid.uuid4()),
                created_at=now,
                kind=mail.kind,
                user_id=mail.user_id,
                address=mail.address,
                address_key=email_key(mail.address),
                network=mail.network,
                language=mail.language,
                detail=json.dumps(mail.detail, sort_keys=True),
                due_at=now,
                expires_at=now + mail.lifetime,
            )
        )


def add(mails: Sequence[NewMail]) -> None:
    """Queue mails in a transaction of their own."""
    with database().transaction() as connection:
        add_in_transaction(connection, mails)


def lease(most: int) -> list[OutgoingMail]:
    """Return at most `most` mails that are due, leased to the caller.

    Counts as an attempt. A mail that has expired is not returned; it
    fails. The subquery skips rows that another process leases now.
    """
    now = clock.now()
    is_due = (
        _MAIL.state == QUEUED,
        _MAIL.due_at <= now,
        or_(_MAIL.leased_until.is_(None), _MAIL.leased_until <= now),
    )
    ids = (
        select(_MAIL.id)
        .where(*is_due)
        .order_by(_MAIL.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    with database().transaction() as connection:
        connection.execute(
            update(OUTGOING_MAILS)
            .where(*is_due, _MAIL.expires_at <= now)
            .values(state=FAILED, error=func.coalesce(_MAIL.error, "expired"))
        )
        rows = connection.execute(
            update(OUTGOING_MAILS)
            .where(_MAIL.id.in_(ids), _MAIL.state == QUEUED)
            .values(leased_until=now + LEASE, tries=_MAIL.tries + 1)
            .returning(*_COLUMNS)
        ).all()
    return sorted((_mail(row) for row in rows), key=lambda one: one.due_at)


def mark_sent(ids: Collection[str]) -> None:
    """Record that the server accepted the mails with these ids."""
    if not ids:
        return
    with database().transaction() as connection:
        connection.execute(
            update(OUTGOING_MAILS)
            .where(_MAIL.id.in_(ids))
            .values(
                state=SENT,
                sent_at=clock.now(),
                leased_until=None,
                error=None,
            )
        )


def mark_failed(mail: OutgoingMail, error: str, permanent: bool) -> None:
    """Record a failure: try again later, unless that cannot succeed.

    No attempt comes after the expiry of what the mail carries.
    """
    wait = RETRY_WAITS[min(mail.tries, len(RETRY_WAITS)) - 1]
    due = clock.now() + wait
    is_over = permanent or due >= mail.expires_at
    with database().transaction() as connection:
        connection.execute(
            update(OUTGOING_MAILS)
            .where(_MAIL.id == mail.id, _MAIL.state == QUEUED)
            .values(
                state=FAILED if is_over else QUEUED,
                due_at=due,
                leased_until=None,
                error=error,
            )
        )


def release(mails: Sequence[OutgoingMail]) -> None:
    """Give leases back without an attempt; the mails stay due."""
    with database().transaction() as connection:
        connection.execute(
            update(OUTGOING_MAILS)
            .where(_MAIL.id.in_([mail.id for mail in mails]))
            .values(leased_until=None, tries=_MAIL.tries - 1)
        )


def retry(id: str) -> OutgoingMail | None:
    """Make a mail due now that waits or failed; return it, or `None`.

    A mail whose content has expired stays as it is.
    """
    now = clock.now()
    with database().transaction() as connection:
        changed = connection.execute(
            update(OUTGOING_MAILS)
            .where(
                _MAIL.id == id,
                _MAIL.state.in_((QUEUED, FAILED)),
                _MAIL.expires_at > now,
            )
            .values(state=QUEUED, due_at=now)
            .returning(*_COLUMNS)
        ).first()
    return None if changed is None else _mail(changed)


def drop(id: str) -> OutgoingMail | None:
    """Make a queued mail fail; return it, or `None` if it was not queued."""
    with database().transaction() as connection:
        changed = connection.execute(
            update(OUTGOING_MAILS)
            .where(_MAIL.id == id, _MAIL.state == QUEUED)
            .values(state=FAILED, error="dropped", leased_until=None)
            .returning(*_COLUMNS)
        ).first()
    return None if changed is None else _mail(changed)


def listed(
    most: int, state: str | None = None, user_id: str | None = None
) -> list[OutgoingMail]:
    """Return the newest mails, in a state or of a user if given."""
    conditions: list[ColumnElement[bool]] = [_MAIL.kind != NOTHING]
    if state is not None:
        conditions.append(_MAIL.state == state)
    if user_id is not None:
        conditions.append(_MAIL.user_id == user_id)
    found = database().fetch_all(
        select(*_COLUMNS)
        .where(*conditions)
        .order_by(_MAIL.created_at.desc(), _MAIL.id)
        .limit(most)
    )
    return [_mail(row) for row in found]


@dataclass(frozen=True)
class MailFilter:
    """The mails of a list: in a state, or of a user, if given."""

    state: str | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class MailPage:
    """Some mails, newest first, and the cursors of the pages beside them."""

    mails: list[OutgoingMail]
    next: Cursor | None
    previous: Cursor | None


def search_page(
    wanted: MailFilter, limit: int, cursor: Cursor | None
) -> MailPage:
    """Return a page of the mails of a list.

    Raise `InvalidValue` for a cursor of another order.
    """
    order = Order((_MAIL.created_at, _MAIL.id), is_descending=True)
    found = keyset.fetch(_source(wanted), order, limit, cursor)
    return MailPage(
        [_mail(row) for row in found.rows], found.next, found.previous
    )


def count(wanted: MailFilter) -> Count:
    """Return how many mails a list has."""
    return keyset.count(_source(wanted))


def find(ids: Collection[str]) -> list[OutgoingMail]:
    """Return the listed mails with these ids, newest first."""
    found = database().fetch_all(
        select(*_COLUMNS)
        .where(_MAIL.id.in_(ids), _MAIL.kind != NOTHING)
        .order_by(_MAIL.created_at.desc(), _MAIL.id)
    )
    return [_mail(row) for row in found]


def _source(wanted: MailFilter) -> Source:
    """Return where the mails of a list come from: those of one week."""
    rows: Select[Any] = select(*_COLUMNS).where(_MAIL.kind != NOTHING)
    if wanted.state is not None:
        rows = rows.where(_MAIL.state == wanted.state)
    if wanted.user_id is not None:
        rows = rows.where(_MAIL.user_id == wanted.user_id)
    return Source(rows, lambda columns: [], True)


@dataclass(frozen=True)
class QueueState:
    """How many mails wait, were sent and failed, and the oldest waiting."""

    queued: int
    sent: int
    failed: int
    oldest: datetime | None


def queue_state() -> QueueState:
    """Return the counts of the mails that are listed."""
    state = _MAIL.state
    waiting = case((state == QUEUED, _MAIL.created_at))
    rows: Sequence[Any] = database().fetch_all(
        select(state, func.count(), func.min(waiting))
        .where(_MAIL.kind != NOTHING)
        .group_by(state)
    )
    counts = {row[0]: row[1] for row in rows}
    oldest = [row[2] for row in rows if row[0] == QUEUED]
    return QueueState(
        counts.get(QUEUED, 0),
        counts.get(SENT, 0),
        counts.get(FAILED, 0),
        oldest[0] if oldest else None,
    )


def purge() -> int:
    """Delete mails that ended long ago; return how many."""
    return delete_in_batches(
        OUTGOING_MAILS,
        (_MAIL.created_at < clock.now() - KEPT) & (_MAIL.state != QUEUED),
    )


def _mail(row: Any) -> OutgoingMail:
    """Return the mail of a row."""
    values = row._asdict()
    values["detail"] = json.loads(values["detail"])
    return OutgoingMail(**values)

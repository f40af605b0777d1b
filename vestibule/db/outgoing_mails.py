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

from sqlalchemy import Connection, case, func, insert, or_, select, update
from sqlalchemy import text as sql

from vestibule.core import clock
from vestibule.core.text import email_key
from vestibule.db.engine import database
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
#: Characters of an error that are stored: PostgreSQL's index of errors takes
#: at most 2,704 bytes.
MAX_ERROR_LENGTH = 500
#: The kind of a row for an address without an account: nothing is sent.
#: It is stored like any other, so that both cost the same time.
NOTHING = "nothing"

QUEUED, SENT, FAILED = "queued", "sent", "failed"
STATES = (QUEUED, SENT, FAILED)
_MAIL = OUTGOING_MAILS.c
_LOCK_ADDRESS = sql("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


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


#: The columns of an `OutgoingMail`.
MAIL_COLUMNS = [_MAIL[name] for name in OutgoingMail.__dataclass_fields__]


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

    Counts as an attempt. A mail that has expired is not returned; it fails
    when its turn comes.
    """
    while True:
        now = clock.now()
        with database().transaction() as connection:
            found = _lease_in_transaction(connection, most, now)
            valid = [mail for mail in found if mail.expires_at > now]
            if len(valid) < len(found):
                _fail_expired(connection, found, now)
        # More may be due behind those that have expired.
        if valid or not found:
            return valid


def _lease_in_transaction(
    connection: Connection, most: int, now: datetime
) -> list[OutgoingMail]:
    """Lease mails that are due, in their order.

    Rows that another process leases now are skipped. The rows are chosen in
    a common table expression, which PostgreSQL evaluates once: it may repeat
    a subquery for each row of the update, and then lease all of them.
    """
    due = (
        select(_MAIL.id)
        .where(
            _MAIL.state == QUEUED,
            _MAIL.due_at <= now,
            or_(_MAIL.leased_until.is_(None), _MAIL.leased_until <= now),
        )
        .order_by(_MAIL.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    rows = connection.execute(
        update(OUTGOING_MAILS)
        .where(_MAIL.id.in_(select(due.c.id)), _MAIL.state == QUEUED)
        .values(leased_until=now + LEASE, tries=_MAIL.tries + 1)
        .returning(*MAIL_COLUMNS)
    ).all()
    return sorted((mail_of(row) for row in rows), key=lambda one: one.due_at)


def _fail_expired(
    connection: Connection, mails: Sequence[OutgoingMail], now: datetime
) -> None:
    """Record that those mails failed which have expired; keep the error."""
    expired = [mail.id for mail in mails if mail.expires_at <= now]
    connection.execute(
        update(OUTGOING_MAILS)
        .where(_MAIL.id.in_(expired))
        .values(
            state=FAILED,
            leased_until=None,
            tries=_MAIL.tries - 1,
            error=func.coalesce(_MAIL.error, "expired"),
        )
    )


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


def mark_failed(
    mails: Sequence[OutgoingMail], error: str, permanent: bool = False
) -> None:
    """Record a failure: try again later, unless that cannot succeed.

    No attempt comes after the expiry of what a mail carries.
    """
    now = clock.now()
    with database().transaction() as connection:
        for mail in mails:
            wait = RETRY_WAITS[min(mail.tries, len(RETRY_WAITS)) - 1]
            is_over = permanent or now + wait >= mail.expires_at
            connection.execute(
                update(OUTGOING_MAILS)
                .where(_MAIL.id == mail.id, _MAIL.state == QUEUED)
                .values(
                    state=FAILED if is_over else QUEUED,
                    due_at=now + wait,
                    leased_until=None,
                    error=error[:MAX_ERROR_LENGTH],
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
            .returning(*MAIL_COLUMNS)
        ).first()
    return None if changed is None else mail_of(changed)


def drop(id: str) -> OutgoingMail | None:
    """Make a queued mail fail; return it, or `None` if it was not queued."""
    with database().transaction() as connection:
        changed = connection.execute(
            update(OUTGOING_MAILS)
            .where(_MAIL.id == id, _MAIL.state == QUEUED)
            .values(state=FAILED, error="dropped", leased_until=None)
            .returning(*MAIL_COLUMNS)
        ).first()
    return None if changed is None else mail_of(changed)


def add_within_limits(
    mail: NewMail,
    kinds: Collection[str],
    limits: Sequence[tuple[int, timedelta]],
) -> bool:
    """Queue a mail unless its address has had too many; return True if so.

    `limits` has how many mails of these kinds may be queued within a time.
    The transaction that counts also inserts, and no other one comes between:
    SQLite has one writer, and PostgreSQL an advisory lock.
    """
    now, key = clock.now(), email_key(mail.address)
    longest = max(window for _, window in limits)
    with database().transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(_LOCK_ADDRESS, {"key": f"mail {key}"})
        found = connection.scalars(
            select(_MAIL.created_at).where(
                _MAIL.address_key == key,
                _MAIL.created_at > now - longest,
                _MAIL.kind.in_(kinds),
            )
        ).all()
        if is_over(found, limits, now):
            return False
        add_in_transaction(connection, [mail])
    return True


def is_over(
    moments: Sequence[datetime],
    limits: Sequence[tuple[int, timedelta]],
    now: datetime,
) -> bool:
    """Return True if so many mails reach one of the limits."""
    return any(
        sum(moment > now - window for moment in moments) >= most
        for most, window in limits
    )


def count_sent_since(moment: datetime) -> int:
    """Return how many mails all machines sent since `moment`.

    Rows for addresses without an account do not count, because nothing is
    sent for them.
    """
    (row,) = database().fetch_all(
        select(func.count()).where(
            _MAIL.sent_at > moment, _MAIL.kind != NOTHING
        )
    )
    return int(row[0])


def moments_for_address(
    address: str, kinds: Collection[str], since: datetime
) -> list[datetime]:
    """Return when mails of these kinds were queued for an address."""
    found = database().fetch_all(
        select(_MAIL.created_at).where(
            _MAIL.address_key == email_key(address),
            _MAIL.created_at > since,
            _MAIL.kind.in_(kinds),
        )
    )
    return [row[0] for row in found]


def count_from_network(network: str, since: datetime) -> int:
    """Return how many mails a network has asked for since `since`."""
    (row,) = database().fetch_all(
        select(func.count()).where(
            _MAIL.network == network, _MAIL.created_at > since
        )
    )
    return int(row[0])


def has_mail_since(user_id: str, kind: str, since: datetime) -> bool:
    """Return True if a mail of a kind was queued for a user since then."""
    return bool(
        database().fetch_all(
            select(_MAIL.id)
            .where(
                _MAIL.user_id == user_id,
                _MAIL.created_at > since,
                _MAIL.kind == kind,
            )
            .limit(1)
        )
    )


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


def mail_of(row: Any) -> OutgoingMail:
    """Return the mail of a row, which may have more columns."""
    values = {each.key: getattr(row, each.key) for each in MAIL_COLUMNS}
    values["detail"] = json.loads(values["detail"])
    return OutgoingMail(**values)

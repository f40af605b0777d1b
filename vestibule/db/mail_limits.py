#!/usr/bin/env python3
"""How many mails an address, a network, a user and an hour have had."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from vestibule.core import clock
from vestibule.core.text import email_key
from vestibule.db.engine import database
from vestibule.db.outgoing_mails import NOTHING, NewMail, add_in_transaction
from vestibule.db.tables import OUTGOING_MAILS

_MAIL = OUTGOING_MAILS.c


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
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))"),
                {"id": f"mail {key}"},
            )
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

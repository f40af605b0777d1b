#!/usr/bin/env python3
"""The codes with which the first admin may be made, while nobody exists.

Its law: only digests are kept. Each server that starts without users adds
a code of its own; the first that is used makes the admin and takes all
others along, in one transaction: of several at once, one does.
"""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import SETUP_CODES, USERS

_ANY_USER = select(USERS.c.id).limit(1)
# In one order, so that two who lock them never wait for each other.
# SQLite has one writer at a time and needs no locks.
_LOCK_ALL_CODES = (
    select(SETUP_CODES.c.code_digest, SETUP_CODES.c.created_at)
    .order_by(SETUP_CODES.c.code_digest)
    .with_for_update()
)


def has_users() -> bool:
    """Tell whether there is any user."""
    return bool(database().fetch_all(_ANY_USER))


def add(digest: str, now: datetime, since: datetime) -> None:
    """Keep a new code; drop those that were made before `since`."""
    with database().transaction() as connection:
        connection.execute(
            delete(SETUP_CODES).where(SETUP_CODES.c.created_at <= since)
        )
        connection.execute(
            insert(SETUP_CODES).values(code_digest=digest, created_at=now)
        )


def has_valid_code(since: datetime) -> bool:
    """Tell whether there is a code that was made after `since`."""
    made = select(SETUP_CODES.c.code_digest).limit(1)
    return bool(
        database().fetch_all(made.where(SETUP_CODES.c.created_at > since))
    )


def is_valid_code(digest: str, since: datetime) -> bool:
    """Tell whether this is a code that was made after `since`."""
    return bool(
        database().fetch_all(
            select(SETUP_CODES.c.code_digest).where(
                SETUP_CODES.c.code_digest == digest,
                SETUP_CODES.c.created_at > since,
            )
        )
    )


def redeem(digest: str, since: datetime, admin: User) -> bool:
    """Store `admin` as the first user, and use all codes up.

    Tell whether the code was there to be used and nobody else is; do
    nothing if not.
    """
    try:
        with database().transaction() as connection:
            moments = {
                row.code_digest: row.created_at
                for row in connection.execute(_LOCK_ALL_CODES)
            }
            if digest not in moments or moments[digest] <= since:
                return False
            if connection.execute(_ANY_USER).first() is not None:
                return False
            admin.insert_in_transaction(connection)
            connection.execute(delete(SETUP_CODES))
    except IntegrityError:
        # Somebody of the same email came in this very moment.
        return False
    return True

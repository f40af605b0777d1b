#!/usr/bin/env python3
"""The setup_codes table: codes to create the first admin.

Only digests are stored. Each server that starts without users adds a code
of its own. Using one creates the admin and deletes all codes in one
transaction, so of several requests at once, one succeeds.
"""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import SETUP_CODES, USERS

_ANY_USER = select(USERS.c.id).limit(1)
# In one order, so that two transactions never wait for each other.
# SQLite has one writer at a time and needs no locks.
_LOCK_ALL_CODES = (
    select(SETUP_CODES.c.code_digest, SETUP_CODES.c.created_at)
    .order_by(SETUP_CODES.c.code_digest)
    .with_for_update()
)


def has_users() -> bool:
    """Return True if there is any user."""
    return bool(database().fetch_all(_ANY_USER))


def add(digest: str, now: datetime, since: datetime) -> None:
    """Store a new code; delete those that are not newer than `since`."""
    with database().transaction() as connection:
        connection.execute(
            delete(SETUP_CODES).where(SETUP_CODES.c.created_at <= since)
        )
        connection.execute(
            insert(SETUP_CODES).values(code_digest=digest, created_at=now)
        )


def has_valid_code(since: datetime) -> bool:
    """Return True if there is a code that is newer than `since`."""
    one = select(SETUP_CODES.c.code_digest).limit(1)
    return bool(
        database().fetch_all(one.where(SETUP_CODES.c.created_at > since))
    )


def is_valid_code(digest: str, since: datetime) -> bool:
    """Return True if this is a stored code that is newer than `since`."""
    return bool(
        database().fetch_all(
            select(SETUP_CODES.c.code_digest).where(
                SETUP_CODES.c.code_digest == digest,
                SETUP_CODES.c.created_at > since,
            )
        )
    )


def redeem(digest: str, since: datetime, admin: User) -> bool:
    """Store `admin` as the first user, and delete all codes.

    Return False, and change nothing, if the code is not valid or there
    already is a user.
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
        # A user with the same email was created at the same moment.
        return False
    return True

#!/usr/bin/env python3
"""The tables reset_codes and setup_codes: codes that are used once.

Only digests are stored. A user has one reset code at most; using it and
setting the password are one transaction. Each server that starts without
users adds a setup code of its own; using one creates the first admin and
deletes all of them in one transaction. So of two requests with the same
code at once, one succeeds.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from vestibule.core.errors import DuplicateEmail
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.statements import insert_into
from vestibule.db.tables import RESET_CODES, SETUP_CODES, USERS


class NewCode(NamedTuple):
    """A reset code to store: its digest, its times, and who issued it."""

    digest: str
    created_at: datetime
    expires_at: datetime
    by_id: str | None


_ANY_USER = select(USERS.c.id).limit(1)
# The rows are locked in a fixed order, so that two transactions never wait
# for each other. SQLite has one writer at a time and needs no locks.
_LOCK_ALL_CODES = (
    select(SETUP_CODES.c.code_digest, SETUP_CODES.c.created_at)
    .order_by(SETUP_CODES.c.code_digest)
    .with_for_update()
)


def replace_reset_code(user_id: str, code: NewCode) -> None:
    """Store a user's new code in place of the previous one."""
    with database().transaction() as connection:
        _replace_in_transaction(connection, user_id, code)


def add_user_with_reset_code(user: User, code: NewCode) -> None:
    """Store a new user and its code; raise `DuplicateEmail`.

    In one transaction: a user without a code could not log in, and would
    block the next invitation to the same email.
    """
    try:
        with database().transaction() as connection:
            user.insert_in_transaction(connection)
            _replace_in_transaction(connection, user.id, code)
    except IntegrityError:
        raise DuplicateEmail from None


def user_id_for_reset_code(
    email_key: str, digest: str, now: datetime
) -> str | None:
    """Return the id of the user with this email and code, or `None`.

    The code must not have expired, and the user not be disabled.
    """
    found = database().fetch_all(
        select(USERS.c.id)
        .join_from(USERS, RESET_CODES, RESET_CODES.c.user_id == USERS.c.id)
        .where(
            USERS.c.email_key == email_key,
            USERS.c.disabled_at.is_(None),
            RESET_CODES.c.code_digest == digest,
            RESET_CODES.c.expires_at > now,
        )
    )
    return str(found[0][0]) if found else None


def redeem_reset_code(
    user_id: str, digest: str, password_hash: str, now: datetime, reason: str
) -> bool:
    """Delete the code, store the password's hash, end all sessions.

    Return False, and change nothing, if there is no such code.
    """
    with database().transaction() as connection:
        used = connection.execute(
            delete(RESET_CODES).where(
                RESET_CODES.c.user_id == user_id,
                RESET_CODES.c.code_digest == digest,
            )
        )
        if not used.rowcount:
            return False
        connection.execute(
            update(USERS)
            .where(USERS.c.id == user_id)
            .values(password=password_hash, updated_at=now)
        )
        session_queries.delete_for_user_in_transaction(
            connection, user_id, reason
        )
    return True


def _replace_in_transaction(
    connection: Connection, user_id: str, code: NewCode
) -> None:
    """Store a user's new code within the caller's transaction."""
    values = {
        "code_digest": code.digest,
        "created_at": code.created_at,
        "expires_at": code.expires_at,
        "by_id": code.by_id,
    }
    statement = insert_into(RESET_CODES).values(user_id=user_id, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id"], set_=values
        )
    )


def has_users() -> bool:
    """Return True if there is any user."""
    return bool(database().fetch_all(_ANY_USER))


def add_setup_code(digest: str, now: datetime, since: datetime) -> None:
    """Store a new code; delete those that are not newer than `since`."""
    with database().transaction() as connection:
        connection.execute(
            delete(SETUP_CODES).where(SETUP_CODES.c.created_at <= since)
        )
        connection.execute(
            insert(SETUP_CODES).values(code_digest=digest, created_at=now)
        )


def has_setup_code(since: datetime) -> bool:
    """Return True if there is a code that is newer than `since`."""
    one = select(SETUP_CODES.c.code_digest).limit(1)
    return bool(
        database().fetch_all(one.where(SETUP_CODES.c.created_at > since))
    )


def is_setup_code(digest: str, since: datetime) -> bool:
    """Return True if this is a stored code that is newer than `since`."""
    return bool(
        database().fetch_all(
            select(SETUP_CODES.c.code_digest).where(
                SETUP_CODES.c.code_digest == digest,
                SETUP_CODES.c.created_at > since,
            )
        )
    )


def redeem_setup_code(digest: str, since: datetime, admin: User) -> bool:
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

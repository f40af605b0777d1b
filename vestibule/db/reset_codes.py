#!/usr/bin/env python3
"""The reset_codes table: single-use codes to set a new password.

A user has one code at most, and only its digest is stored. Using a code
and setting the password are one transaction, so of two requests with the
same code at once, one succeeds.
"""

from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError

from vestibule.core.errors import DuplicateEmail
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.statements import insert_into
from vestibule.db.tables import RESET_CODES, USERS


def replace(user_id: str, digest: str, now: datetime) -> None:
    """Store a user's new code in place of the previous one."""
    with database().transaction() as connection:
        _replace_in_transaction(connection, user_id, digest, now)


def add_user_with_code(user: User, digest: str, now: datetime) -> None:
    """Store a new user and its code; raise `DuplicateEmail`.

    In one transaction: a user without a code could not log in, and would
    block the next invitation to the same email.
    """
    try:
        with database().transaction() as connection:
            user.insert_in_transaction(connection)
            _replace_in_transaction(connection, user.id, digest, now)
    except IntegrityError:
        raise DuplicateEmail from None


def user_id_for_code(
    email_key: str, digest: str, since: datetime
) -> str | None:
    """Return the id of the user with this email and code, or `None`.

    The code must be newer than `since`, and the user not disabled.
    """
    found = database().fetch_all(
        select(USERS.c.id)
        .join_from(USERS, RESET_CODES, RESET_CODES.c.user_id == USERS.c.id)
        .where(
            USERS.c.email_key == email_key,
            USERS.c.disabled_at.is_(None),
            RESET_CODES.c.code_digest == digest,
            RESET_CODES.c.created_at > since,
        )
    )
    return str(found[0][0]) if found else None


def redeem(
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
    connection: Connection, user_id: str, digest: str, now: datetime
) -> None:
    """Store a user's new code within the caller's transaction."""
    values = {"code_digest": digest, "created_at": now}
    statement = insert_into(RESET_CODES).values(user_id=user_id, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id"], set_=values
        )
    )

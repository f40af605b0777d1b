#!/usr/bin/env python3
"""The codes with which new passwords may be set: one for each user, once.

Its law: only a code's digest is kept, and a code and what it opens go in
one transaction: of two who use it at once, one does.
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
    """Keep a user's new code; the one before is dead."""
    with database().transaction() as connection:
        _replace_in_transaction(connection, user_id, digest, now)


def add_user_with_code(user: User, digest: str, now: datetime) -> None:
    """Store a new user and its code; raise `DuplicateEmail`.

    In one transaction: a user without a code could not come in, and would
    be in the way of the next invitation.
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
    """Return the id of the user with this email and code, made `since`.

    `None` if there is none, or if the user may not come in.
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
    """Use the code up, store the password's hash, end all sessions.

    Tell whether the code was there to be used, and do nothing if not.
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
    """Keep a user's new code in the transaction of something greater."""
    values = {"code_digest": digest, "created_at": now}
    statement = insert_into(RESET_CODES).values(user_id=user_id, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id"], set_=values
        )
    )

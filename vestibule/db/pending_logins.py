#!/usr/bin/env python3
"""The table pending_logins: logins that wait for a second factor.

The password was right, and no session exists yet. The browser has a cookie
with 256 random bits, of which a digest is stored. The row says whose login
it is and of which password; nothing in it opens a session. It is used once:
its deletion decides which of several requests continues.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from vestibule.db.engine import database
from vestibule.db.statements import delete_in_batches
from vestibule.db.tables import PENDING_LOGINS

#: How long a login may wait.
PENDING_LOGIN_LIFETIME = timedelta(minutes=10)
#: Logins of one user that wait at the same time; one more ends the oldest.
MAX_PENDING_LOGINS = 20
#: How far the clocks of two machines may differ. A login that began later
#: than that in the future does not count: a clock was set back.
SKEW = timedelta(seconds=10)


class PendingLogin(NamedTuple):
    """A login that waits, without its cookie."""

    user_id: str
    #: Of the stored hash of the password that was right.
    password_digest: str
    #: When the password was checked.
    created_at: datetime


def add(cookie_digest: str, login: PendingLogin) -> None:
    """Store a login; end the user's oldest beyond `MAX_PENDING_LOGINS`."""
    columns = PENDING_LOGINS.c
    oldest = (
        select(columns.cookie_digest)
        .where(columns.user_id == login.user_id)
        .order_by(columns.created_at.desc(), columns.cookie_digest)
        .offset(MAX_PENDING_LOGINS)
    )
    with database().transaction() as connection:
        connection.execute(
            insert(PENDING_LOGINS).values(
                cookie_digest=cookie_digest, **login._asdict()
            )
        )
        beyond = list(connection.scalars(oldest))
        if beyond:
            connection.execute(
                delete(PENDING_LOGINS).where(columns.cookie_digest.in_(beyond))
            )


def find(cookie_digest: str, now: datetime) -> PendingLogin | None:
    """Return the login of a cookie, if it may still continue."""
    columns = PENDING_LOGINS.c
    found: Sequence[Any] = database().fetch_all(
        select(
            columns.user_id, columns.password_digest, columns.created_at
        ).where(
            columns.cookie_digest == cookie_digest,
            columns.created_at > now - PENDING_LOGIN_LIFETIME,
            columns.created_at <= now + SKEW,
        )
    )
    return PendingLogin(*found[0]) if found else None


def use(cookie_digest: str) -> bool:
    """Delete a login; return True for the one caller that deleted it."""
    with database().transaction() as connection:
        return (
            connection.execute(
                delete(PENDING_LOGINS).where(
                    PENDING_LOGINS.c.cookie_digest == cookie_digest
                )
            ).rowcount
            > 0
        )


def delete_for_user_in_transaction(
    connection: Connection, user_id: str
) -> None:
    """End the user's waiting logins within the caller's transaction."""
    connection.execute(
        delete(PENDING_LOGINS).where(PENDING_LOGINS.c.user_id == user_id)
    )


def purge(now: datetime) -> int:
    """Delete the logins that may not continue; return how many."""
    created = PENDING_LOGINS.c.created_at
    return delete_in_batches(
        PENDING_LOGINS,
        (created <= now - PENDING_LOGIN_LIFETIME) | (created > now + SKEW),
    )

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

from sqlalchemy import Connection, bindparam, delete, insert, select

from vestibule.db.column_types import UTCMoment
from vestibule.db.engine import database
from vestibule.db.factor_tables import PENDING_LOGINS
from vestibule.db.statements import delete_in_batches

#: How long a login may wait.
PENDING_LOGIN_LIFETIME = timedelta(minutes=10)
#: Logins of one user that wait at the same time; one more ends the oldest.
MAX_PENDING_LOGINS = 20
#: How far the clocks of two machines may differ. A login that began later
#: than that in the future does not count: a clock was set back.
SKEW = timedelta(seconds=10)
# Sign-ins with a second factor run these. SQLAlchemy needs a quarter of the
# time for a statement that exists already.
_INSERT = insert(PENDING_LOGINS)
_OLDEST = (
    select(PENDING_LOGINS.c.cookie_digest)
    .where(PENDING_LOGINS.c.user_id == bindparam("user_id"))
    .order_by(
        PENDING_LOGINS.c.created_at.desc(), PENDING_LOGINS.c.cookie_digest
    )
    .offset(MAX_PENDING_LOGINS)
)
_FIND = select(
    PENDING_LOGINS.c.user_id,
    PENDING_LOGINS.c.password_digest,
    PENDING_LOGINS.c.created_at,
).where(
    PENDING_LOGINS.c.cookie_digest == bindparam("digest"),
    PENDING_LOGINS.c.created_at > bindparam("after", type_=UTCMoment),
    PENDING_LOGINS.c.created_at <= bindparam("until", type_=UTCMoment),
)
_USE = delete(PENDING_LOGINS).where(
    PENDING_LOGINS.c.cookie_digest == bindparam("digest")
)


class PendingLogin(NamedTuple):
    """A login that waits, without its cookie."""

    user_id: str
    #: Of the stored hash of the password that was right.
    password_digest: str
    #: When the password was checked.
    created_at: datetime


def add(cookie_digest: str, login: PendingLogin) -> None:
    """Store a login; end the user's oldest beyond `MAX_PENDING_LOGINS`."""
    digest = PENDING_LOGINS.c.cookie_digest
    with database().transaction() as connection:
        connection.execute(
            _INSERT, {"cookie_digest": cookie_digest, **login._asdict()}
        )
        own = {"user_id": login.user_id}
        beyond = list(connection.scalars(_OLDEST, own))
        if beyond:
            connection.execute(
                delete(PENDING_LOGINS).where(digest.in_(beyond))
            )


def find(cookie_digest: str, now: datetime) -> PendingLogin | None:
    """Return the login of a cookie, if it may still continue."""
    found: Sequence[Any] = database().fetch_all(
        _FIND,
        {
            "digest": cookie_digest,
            "after": now - PENDING_LOGIN_LIFETIME,
            "until": now + SKEW,
        },
    )
    return PendingLogin(*found[0]) if found else None


def use(cookie_digest: str) -> bool:
    """Delete a login; return True for the one caller that deleted it."""
    with database().transaction() as connection:
        used = connection.execute(_USE, {"digest": cookie_digest})
        return used.rowcount > 0


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

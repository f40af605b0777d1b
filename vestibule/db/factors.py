#!/usr/bin/env python3
"""The tables factors and recovery_codes: the second factors of users.

A failure is counted before the code is checked, by `begin_attempt` of
`vestibule.db.login_failures`. A success sets the count back. The use of a
code is one UPDATE or DELETE: a code works once.

Every transaction locks the user's row first, then the recovery codes, then
the factors, so that no two transactions deadlock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from vestibule.core.errors import LastFactor, LastPasskey
from vestibule.db import pending_logins
from vestibule.db.column_types import UTCMoment
from vestibule.db.engine import database
from vestibule.db.factor_tables import FACTORS, PASSKEYS, RECOVERY_CODES
from vestibule.db.login_failures import MAX_FAILURES_IN_A_ROW
from vestibule.db.outgoing_mails import NewMail, add_in_transaction
from vestibule.db.statements import delete_in_batches
from vestibule.db.tables import USERS

#: The kinds of factors: an authenticator app, a passkey, recovery codes.
TOTP = "totp"
PASSKEY = "passkey"
RECOVERY = "recovery"
#: How long a factor may wait for its first right code.
PENDING_FACTOR_LIFETIME = timedelta(minutes=10)
# Logins run the first, and sign-ins with a code the others. SQLAlchemy needs
# a quarter of the time for a statement that exists already.
_CONFIRMED = select(FACTORS.c.id).where(
    FACTORS.c.user_id == bindparam("user_id"),
    FACTORS.c.confirmed_at.is_not(None),
)
_ALL = (
    select(FACTORS)
    .where(FACTORS.c.user_id == bindparam("owner"))
    .order_by(FACTORS.c.created_at, FACTORS.c.id)
)
_USE_STEP = (
    update(FACTORS)
    .where(
        FACTORS.c.id == bindparam("factor"),
        FACTORS.c.confirmed_at.is_not(None),
        or_(
            FACTORS.c.last_step.is_(None),
            FACTORS.c.last_step < bindparam("step"),
        ),
    )
    .values(
        last_step=bindparam("step"),
        last_used_at=bindparam("now", type_=UTCMoment),
        failures=0,
        failed_at=None,
    )
)


@dataclass(frozen=True)
class Factor:
    """A second factor of a user."""

    id: str
    user_id: str
    kind: str
    name: str
    #: Encrypted, so that it is no secret here; it is left out all the same.
    secret: str | None = field(repr=False)
    created_at: datetime
    confirmed_at: datetime | None = None
    last_used_at: datetime | None = None
    last_step: int | None = None
    failures: int = 0
    failed_at: datetime | None = None

    @property
    def is_switched_off(self) -> bool:
        """Return True if it failed too often in a row."""
        return self.failures >= MAX_FAILURES_IN_A_ROW


def of_user(user_id: str) -> list[Factor]:
    """Return the confirmed factors of a user, oldest first."""
    return [one for one in _all(user_id) if one.confirmed_at is not None]


def find(factor_id: str, user_id: str) -> Factor | None:
    """Return a factor of the user, confirmed or not."""
    return next((one for one in _all(user_id) if one.id == factor_id), None)


def has_any(user_id: str) -> bool:
    """Return True if the user has a confirmed factor."""
    return database().fetch_one(_CONFIRMED, {"user_id": user_id}) is not None


def add_pending(factor: Factor, limit: int) -> bool:
    """Store a factor that is not confirmed; a pending one of its kind goes.

    Return False, and store nothing, if the user is gone or has `limit`
    confirmed factors of this kind.
    """
    with database().transaction() as connection:
        if not _lock_user(connection, factor.user_id):
            return False
        of_kind = and_(
            FACTORS.c.user_id == factor.user_id, FACTORS.c.kind == factor.kind
        )
        connection.execute(
            delete(FACTORS).where(of_kind, FACTORS.c.confirmed_at.is_(None))
        )
        if _count(connection, of_kind) >= limit:
            return False
        connection.execute(insert(FACTORS).values(vars(factor)))
    return True


def confirm(
    factor: Factor,
    step: int,
    now: datetime,
    recovery: "Recovery | None",
    mails: Sequence[NewMail] = (),
) -> bool:
    """Make a pending factor count, by its first right code.

    `recovery` is the user's first set of recovery codes, if this is the
    first factor. The user's waiting logins end: they began when a password
    was enough. Queue `mails`. Return False, and change nothing, if the
    factor was confirmed, replaced or became too old meanwhile.
    """
    with database().transaction() as connection:
        if not _lock_user(connection, factor.user_id):
            return False
        confirmed = connection.execute(
            update(FACTORS)
            .where(
                FACTORS.c.id == factor.id,
                FACTORS.c.confirmed_at.is_(None),
                FACTORS.c.created_at > now - PENDING_FACTOR_LIFETIME,
            )
            .values(
                confirmed_at=now, last_used_at=now, last_step=step, failures=0
            )
        )
        if not confirmed.rowcount:
            return False
        if recovery is not None:
            _store_recovery(connection, recovery)
        pending_logins.delete_for_user_in_transaction(
            connection, factor.user_id
        )
        add_in_transaction(connection, mails)
    return True


def add_confirmed_in_transaction(
    connection: Connection,
    factor: Factor,
    limit: int,
    recovery: "Recovery | None",
    mails: Sequence[NewMail] = (),
) -> bool:
    """Store a factor that counts at once, as `confirm` does.

    Return False, and store nothing, if the user is gone or has `limit`
    confirmed factors of this kind.
    """
    user_id = factor.user_id
    of_kind = and_(FACTORS.c.user_id == user_id, FACTORS.c.kind == factor.kind)
    if not _lock_user(connection, user_id):
        return False
    if _count(connection, of_kind) >= limit:
        return False
    connection.execute(insert(FACTORS).values(vars(factor)))
    if recovery is not None:
        _store_recovery(connection, recovery)
    pending_logins.delete_for_user_in_transaction(connection, user_id)
    add_in_transaction(connection, mails)
    return True


def use_step(factor_id: str, step: int, now: datetime) -> bool:
    """Use the code of a time step; return True if it was not used before.

    A later step ends the earlier ones too (RFC 6238, 5.2). The failures in
    a row end with it.
    """
    with database().transaction() as connection:
        used = connection.execute(
            _USE_STEP, {"factor": factor_id, "step": step, "now": now}
        )
        return used.rowcount > 0


def remove(
    factor_id: str,
    user_id: str,
    mails: Sequence[NewMail] = (),
    may_be_last: bool = True,
) -> bool:
    """Delete a factor and queue `mails`; return True if there was one.

    The recovery codes go with the last one. Raise `LastFactor`, and change
    nothing, if that may not be deleted, and `LastPasskey` if the user has no
    password, and no other passkey.
    """
    is_left = (FACTORS.c.user_id == user_id) & (FACTORS.c.kind != RECOVERY)
    with database().transaction() as connection:
        _lock_user(connection, user_id)
        _keep_a_way_in(connection, user_id, factor_id)
        connection.execute(
            delete(PASSKEYS).where(
                PASSKEYS.c.user_id == user_id,
                PASSKEYS.c.factor_id == factor_id,
            )
        )
        gone = connection.execute(
            delete(FACTORS).where(is_left, FACTORS.c.id == factor_id)
        )
        if not _count(connection, is_left):
            if gone.rowcount and not may_be_last:
                raise LastFactor
            delete_for_user_in_transaction(connection, user_id)
        if gone.rowcount:
            add_in_transaction(connection, mails)
        return gone.rowcount > 0


def rename(factor_id: str, user_id: str, name: str) -> bool:
    """Give a factor of a user another name; return True if there is one."""
    own = (FACTORS.c.id == factor_id) & (FACTORS.c.user_id == user_id)
    renamed = update(FACTORS).where(own, FACTORS.c.kind != RECOVERY)
    with database().transaction() as connection:
        return connection.execute(renamed.values(name=name)).rowcount > 0


def delete_for_user_in_transaction(
    connection: Connection, user_id: str
) -> None:
    """Delete a user's factors and codes within the caller's transaction."""
    for table in (RECOVERY_CODES, PASSKEYS, FACTORS):
        connection.execute(delete(table).where(table.c.user_id == user_id))
    pending_logins.delete_for_user_in_transaction(connection, user_id)


@dataclass(frozen=True)
class Recovery:
    """A set of recovery codes: its factor, and the digests of the codes."""

    factor: Factor
    digests: Sequence[str] = field(repr=False)


def replace_recovery(recovery: Recovery) -> bool:
    """Store a new set of codes; the one before stops working.

    Return False, and store nothing, if the user has no other factor.
    """
    user_id = recovery.factor.user_id
    is_other = and_(FACTORS.c.user_id == user_id, FACTORS.c.kind != RECOVERY)
    with database().transaction() as connection:
        if not _lock_user(connection, user_id):
            return False
        if not _count(connection, is_other):
            return False
        _store_recovery(connection, recovery)
    return True


def use_recovery_code(
    factor: Factor,
    digest: str,
    now: datetime,
    mails: Sequence[NewMail] = (),
) -> bool:
    """Use a recovery code up; return True if it was one of the user's.

    `mails` are queued then.
    """
    with database().transaction() as connection:
        used = connection.execute(
            delete(RECOVERY_CODES).where(
                RECOVERY_CODES.c.user_id == factor.user_id,
                RECOVERY_CODES.c.code_digest == digest,
            )
        )
        if not used.rowcount:
            return False
        connection.execute(
            update(FACTORS)
            .where(FACTORS.c.id == factor.id)
            .values(last_used_at=now, failures=0, failed_at=None)
        )
        add_in_transaction(connection, mails)
    return True


def count_recovery_codes(user_id: str) -> int:
    """Return how many of the user's recovery codes are left."""
    found = database().fetch_all(
        select(func.count()).where(RECOVERY_CODES.c.user_id == user_id)
    )
    return int(found[0][0])


def purge(now: datetime) -> int:
    """Delete the factors that were never confirmed; return how many."""
    return delete_in_batches(
        FACTORS,
        and_(
            FACTORS.c.confirmed_at.is_(None),
            FACTORS.c.created_at <= now - PENDING_FACTOR_LIFETIME,
        ),
    )


def count_apps(user_id: str) -> int:
    """Return how many confirmed apps the user has."""
    return sum(one.kind == TOTP for one in of_user(user_id))


def _all(user_id: str) -> list[Factor]:
    """Return all factors of a user, oldest first."""
    found: Sequence[Any] = database().fetch_all(_ALL, {"owner": user_id})
    return [Factor(*row) for row in found]


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Return the number of confirmed factors that meet the condition."""
    counted = select(func.count()).where(
        condition, FACTORS.c.confirmed_at.is_not(None)
    )
    return int(connection.scalar(counted) or 0)


def _keep_a_way_in(
    connection: Connection, user_id: str, factor_id: str
) -> None:
    """Raise `LastPasskey` if only this passkey signs the user in."""
    without_password = select(USERS.c.id).where(
        USERS.c.id == user_id, USERS.c.password.is_(None)
    )
    if connection.execute(without_password).first() is None:
        return
    left = select(PASSKEYS.c.factor_id).where(PASSKEYS.c.user_id == user_id)
    if list(connection.scalars(left)) == [factor_id]:
        raise LastPasskey


def _lock_user(connection: Connection, user_id: str) -> bool:
    """Return True if the user exists; its factors change one at a time.

    SQLite has one writer at a time and needs no lock.
    """
    user = select(USERS.c.id).where(USERS.c.id == user_id).with_for_update()
    return connection.execute(user).first() is not None


def _store_recovery(connection: Connection, recovery: Recovery) -> None:
    """Store a set of codes in place of the one before."""
    factor = recovery.factor
    own = FACTORS.c.user_id == factor.user_id
    connection.execute(
        delete(RECOVERY_CODES).where(
            RECOVERY_CODES.c.user_id == factor.user_id
        )
    )
    connection.execute(
        delete(FACTORS).where(own, FACTORS.c.kind == factor.kind)
    )
    connection.execute(insert(FACTORS).values(vars(factor)))
    rows = [
        {
            "code_digest": digest,
            "user_id": factor.user_id,
            "created_at": factor.created_at,
        }
        for digest in recovery.digests
    ]
    connection.execute(insert(RECOVERY_CODES), rows)

#!/usr/bin/env python3
"""The tables of passkeys, of their users' handles, and of challenges.

A passkey is a factor, so its name and its times are in the table factors.
The use of a challenge is one DELETE, and that of a sign count one UPDATE:
of several requests at once with the same answer, one succeeds.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from vestibule.db import factors
from vestibule.db.engine import database
from vestibule.db.factor_tables import (
    FACTORS,
    PASSKEY_CHALLENGES,
    PASSKEY_HANDLES,
    PASSKEYS,
    RECOVERY_CODES,
)
from vestibule.db.factors import Factor, Recovery
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import NewMail, add_in_transaction
from vestibule.db.statements import delete_in_batches
from vestibule.db.tables import USERS

#: How long an authenticator may take to answer.
CHALLENGE_LIFETIME = timedelta(minutes=5)
#: Challenges of one user, or of one network for unknown users, at a time.
MAX_USER_CHALLENGES, MAX_NETWORK_CHALLENGES = 50, 1_000
#: Random bytes of a user's handle.
HANDLE_BYTES = 32
#: How far the clocks of two machines may differ.
SKEW = timedelta(seconds=10)


@dataclass(frozen=True)
class Passkey:
    """A passkey of a user, without its name."""

    factor_id: str
    user_id: str
    credential_id: str
    public_key: str
    sign_count: int
    #: Whether it may be copied to other devices of the user.
    backup_eligible: bool
    backed_up: bool
    #: How browsers may reach it, separated by blanks; only a hint.
    transports: str
    rp_id: str


@dataclass(frozen=True)
class Challenge:
    """What an authenticator is to sign, as it is stored."""

    challenge_digest: str
    purpose: str
    user_id: str | None
    network: str
    created_at: datetime


def add_challenge(challenge: Challenge) -> None:
    """Store a challenge; delete the oldest of its origin beyond a number.

    The origin is the user, or the network while the user is not known.
    """
    columns = PASSKEY_CHALLENGES.c
    own, limit = columns.user_id == challenge.user_id, MAX_USER_CHALLENGES
    if challenge.user_id is None:
        own = and_(
            columns.user_id.is_(None), columns.network == challenge.network
        )
        limit = MAX_NETWORK_CHALLENGES
    oldest = (
        select(columns.challenge_digest)
        .where(own)
        .order_by(columns.created_at.desc(), columns.challenge_digest)
        .offset(limit)
    )
    with database().transaction() as connection:
        connection.execute(insert(PASSKEY_CHALLENGES).values(vars(challenge)))
        if beyond := list(connection.scalars(oldest)):
            connection.execute(
                delete(PASSKEY_CHALLENGES).where(
                    columns.challenge_digest.in_(beyond)
                )
            )


def use_challenge(
    digest: str, purpose: str, user_id: str | None, now: datetime
) -> bool:
    """Delete a challenge; return True if it was one for this purpose.

    It is gone whatever it was for, so that one answer is one attempt.
    """
    columns = PASSKEY_CHALLENGES.c
    statement = (
        delete(PASSKEY_CHALLENGES)
        .where(columns.challenge_digest == digest)
        .returning(columns.purpose, columns.user_id, columns.created_at)
    )
    with database().transaction() as connection:
        found = connection.execute(statement).first()
    if found is None:
        return False
    age = now - found.created_at
    return (found.purpose, found.user_id) == (
        purpose,
        user_id,
    ) and -SKEW <= age < CHALLENGE_LIFETIME


def handle_of(user_id: str) -> str:
    """Return the handle of a user; the first call makes it."""
    stored = select(PASSKEY_HANDLES.c.handle).where(
        PASSKEY_HANDLES.c.user_id == user_id
    )
    with database().transaction() as connection:
        found = connection.scalar(stored)
        if found is None:
            # Two requests at once wait for each other here.
            connection.execute(
                select(USERS.c.id)
                .where(USERS.c.id == user_id)
                .with_for_update()
            )
            found = connection.scalar(stored)
        if found is None:
            found = secrets.token_urlsafe(HANDLE_BYTES)
            connection.execute(
                insert(PASSKEY_HANDLES).values(user_id=user_id, handle=found)
            )
    return str(found)


def add(
    factor: Factor,
    passkey: Passkey,
    limit: int,
    recovery: Recovery | None,
    mails: Sequence[NewMail] = (),
) -> bool:
    """Store a passkey, which counts at once, and queue `mails`.

    Return False, and store nothing, if the id is known already, the user is
    gone, or has `limit` passkeys.
    """
    try:
        with database().transaction() as connection:
            if not factors.add_confirmed_in_transaction(
                connection, factor, limit, recovery, mails
            ):
                return False
            connection.execute(insert(PASSKEYS).values(vars(passkey)))
    except IntegrityError:
        return False
    return True


def find(credential_id: str) -> Passkey | None:
    """Return the passkey with this id."""
    found = _where(PASSKEYS.c.credential_id == credential_id)
    return found[0] if found else None


def of_user(user_id: str) -> list[Passkey]:
    """Return the passkeys of a user."""
    return _where(PASSKEYS.c.user_id == user_id)


def count_other(rp_id: str) -> int:
    """Return how many passkeys were made for another RP ID.

    They cannot sign in any more.
    """
    found = database().fetch_all(
        select(func.count())
        .select_from(PASSKEYS)
        .where(PASSKEYS.c.rp_id != rp_id)
    )
    return int(found[0][0])


def use(
    passkey: Passkey, sign_count: int, backed_up: bool, now: datetime
) -> bool:
    """Store a use of the passkey; return False if its count did not grow.

    The copies of a passkey that may be backed up share no count, and some
    authenticators have none: theirs stays 0 (WebAuthn 3, 6.1.1).
    """
    stored = PASSKEYS.c.sign_count
    grows = stored < sign_count if sign_count else stored == 0
    own = PASSKEYS.c.factor_id == passkey.factor_id
    if not passkey.backup_eligible:
        own = and_(own, grows)
    with database().transaction() as connection:
        if not connection.execute(
            update(PASSKEYS)
            .where(own)
            .values(sign_count=sign_count, backed_up=backed_up)
        ).rowcount:
            return False
        connection.execute(
            update(FACTORS)
            .where(FACTORS.c.id == passkey.factor_id)
            .values(last_used_at=now)
        )
    return True


def remove_password(user: User, mails: Sequence[NewMail] = ()) -> bool:
    """Remove the user's password, and queue `mails`.

    Two passkeys suffice, or one and a recovery code that is not used.
    Return False, and change nothing, if the user has less, or the password
    was changed meanwhile.
    """
    passkeys = select(func.count()).where(PASSKEYS.c.user_id == user.id)
    codes = select(func.count()).where(RECOVERY_CODES.c.user_id == user.id)
    own = and_(USERS.c.id == user.id, USERS.c.password == user.password)
    with database().transaction() as connection:
        user.delete_dependents(connection, {"password"})
        # No passkey is removed while the row is locked.
        locked = connection.execute(
            select(USERS.c.id).where(own).with_for_update()
        )
        if locked.first() is None:
            return False
        number = int(connection.scalar(passkeys) or 0)
        if number < 2 and not (number and connection.scalar(codes)):
            return False
        connection.execute(update(USERS).where(own).values(password=None))
        add_in_transaction(connection, mails)
    return True


def purge(now: datetime) -> int:
    """Delete the challenges that are too old; return how many."""
    created = PASSKEY_CHALLENGES.c.created_at
    return delete_in_batches(
        PASSKEY_CHALLENGES,
        (created <= now - CHALLENGE_LIFETIME) | (created > now + SKEW),
    )


def _where(condition: Any) -> list[Passkey]:
    """Return the passkeys that meet the condition."""
    found: Sequence[Any] = database().fetch_all(
        select(PASSKEYS).where(condition).order_by(PASSKEYS.c.factor_id)
    )
    return [Passkey(*row) for row in found]

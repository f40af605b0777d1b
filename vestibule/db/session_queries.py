#!/usr/bin/env python3
"""How sessions in the database end: many at once, and with a reason.

Its law: a row and its end are one transaction; what ended is deleted, and
only its digest, the reason and the moment stay, for a day.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    or_,
    select,
    text,
    update,
)

from vestibule.core import clock
from vestibule.db.batches import DELETE_BATCH_ROWS, PAUSE_SECONDS, delete_old
from vestibule.db.engine import database
from vestibule.db.models.base import insert_into, is_storable
from vestibule.db.tables import ENDED_SESSIONS, USER_SESSIONS

_REASON = select(ENDED_SESSIONS.c.reason, ENDED_SESSIONS.c.ended_at).where(
    ENDED_SESSIONS.c.session_digest == bindparam("digest")
)


class Rotation(NamedTuple):
    """The digests of a session's secret id before and after a change."""

    old: str
    new: str


def delete_by_digest(digest: str, reason: str) -> bool:
    """End the session with this digest; tell if there was one."""
    with database().transaction() as connection:
        condition = USER_SESSIONS.c.session_digest == digest
        return _end(connection, reason, condition) > 0


def delete_by_handle(handle: str, reason: str, user_id: str | None) -> bool:
    """End the session with this handle, if it is the user's; tell so."""
    if not is_storable(handle):
        return False
    condition = [USER_SESSIONS.c.id == handle]
    if user_id is not None:
        condition.append(USER_SESSIONS.c.user_id == user_id)
    return _end_all(reason, condition) > 0


def delete_of_user(
    reason: str, user_id: str | None, keep: str | None = None
) -> int:
    """End the sessions of a user, or of all, but for one handle."""
    condition = []
    if user_id is not None:
        condition.append(USER_SESSIONS.c.user_id == user_id)
    if keep is not None:
        condition.append(USER_SESSIONS.c.id != keep)
    return _end_all(reason, condition)


def delete_created_before(moment: datetime, reason: str) -> int:
    """End the sessions that began before a moment; count them."""
    dead = [USER_SESSIONS.c.created_at < moment]
    return _end_all(reason, dead, PAUSE_SECONDS)


def delete_idle_since(moment: datetime, reason: str) -> int:
    """End the sessions whose last use was before a moment; count them."""
    seen, began = USER_SESSIONS.c.last_seen_at, USER_SESSIONS.c.created_at
    dead = [or_(seen < moment, and_(seen.is_(None), began < moment))]
    return _end_all(reason, dead, PAUSE_SECONDS)


def enforce_session_limit(
    connection: Connection, user_id: str, most: int, reason: str
) -> int:
    """End the oldest sessions of a user beyond the newest `most`.

    Within the transaction that adds one. PostgreSQL lets two logins of a
    user go on at once, and each would miss the other's; so they queue.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))"),
            {"id": user_id},
        )
    oldest = (
        select(USER_SESSIONS.c.id)
        .where(USER_SESSIONS.c.user_id == user_id)
        .order_by(USER_SESSIONS.c.created_at.desc(), USER_SESSIONS.c.id)
        .offset(most)
    )
    handles = list(connection.scalars(oldest))
    return _end(connection, reason, USER_SESSIONS.c.id.in_(handles))


def delete_for_user(
    connection: Connection,
    user_id: str,
    reason: str,
    keep: str | None = None,
) -> int:
    """End a user's sessions in the transaction of something greater.

    `keep` is the digest of one that stays.
    """
    condition = USER_SESSIONS.c.user_id == user_id
    if keep is not None:
        digest = USER_SESSIONS.c.session_digest
        condition &= or_(digest.is_(None), digest != keep)
    return _end(connection, reason, condition)


def rotate(old: str, new: str, now: datetime) -> bool:
    """Give a session the digest `new` for `old`, authenticated at `now`."""
    with database().transaction() as connection:
        return rotate_in_transaction(connection, Rotation(old, new), now)


def rotate_in_transaction(
    connection: Connection, rotation: Rotation, now: datetime
) -> bool:
    """Do so in the transaction of something greater; tell if it is there."""
    statement = (
        update(USER_SESSIONS)
        .where(USER_SESSIONS.c.session_digest == rotation.old)
        .values(
            session_digest=rotation.new,
            authenticated_at=now,
            last_seen_at=now,
        )
    )
    if not connection.execute(statement).rowcount:
        return False
    _note(connection, "rotated", [rotation.old])
    return True


def touch(digest: str, now: datetime) -> None:
    """Note a use of a session; one that ended meanwhile stays ended."""
    statement = (
        update(USER_SESSIONS)
        .where(USER_SESSIONS.c.session_digest == digest)
        .values(last_seen_at=now)
    )
    with database().transaction() as connection:
        connection.execute(statement)


def end_reason(digest: str, since: datetime) -> str | None:
    """Return why the session with this digest ended, if it did `since`."""
    found = database().rows(_REASON, {"digest": digest})
    if not found or found[0].ended_at < since:
        return None
    reason: str = found[0].reason
    return reason


def delete_reasons(before: datetime) -> None:
    """Delete the reasons of sessions that ended before a moment."""
    delete_old(ENDED_SESSIONS, ENDED_SESSIONS.c.ended_at < before)


def _end_all(
    reason: str,
    conditions: Sequence[ColumnElement[bool]],
    pause: float = 0,
) -> int:
    """End all sessions that meet the conditions, in batches.

    How many were found, not how many were deleted, tells if there are
    more: PostgreSQL lets others end some of a batch at the same time.
    """
    some = (
        select(USER_SESSIONS.c.id).where(*conditions).limit(DELETE_BATCH_ROWS)
    )
    ended = 0
    while True:
        with database().transaction() as connection:
            batch = list(connection.scalars(some))
            found = USER_SESSIONS.c.id.in_(batch)
            # One that was used meanwhile may meet them no more.
            ended += _end(connection, reason, and_(found, *conditions))
        if len(batch) < DELETE_BATCH_ROWS:
            return ended
        time.sleep(pause)


def _end(
    connection: Connection, reason: str, condition: ColumnElement[bool]
) -> int:
    """Delete the sessions that meet the condition and note their reason."""
    digests = connection.scalars(
        delete(USER_SESSIONS)
        .where(condition)
        .returning(USER_SESSIONS.c.session_digest)
    ).all()
    _note(connection, reason, [each for each in digests if each is not None])
    return len(digests)


def _note(connection: Connection, reason: str, digests: Sequence[Any]) -> None:
    """Note why the sessions with these digests ended."""
    if digests:
        now = clock.now()
        statement = insert_into(ENDED_SESSIONS).on_conflict_do_nothing()
        connection.execute(
            statement,
            [
                {"session_digest": each, "reason": reason, "ended_at": now}
                for each in digests
            ],
        )

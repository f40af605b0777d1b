#!/usr/bin/env python3
"""Queries that end and rotate sessions in the database, and their rules.

Ending a session deletes its row. In the same transaction its digest, the
reason and the time go to ended_sessions, where they stay for a day.

The table session_rules has the rules of sessions that the service has. The
service stores them, and an application in process reads them. With rules of
its own it would let a session pass that the service refuses.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)

from vestibule.core import access_settings, clock, page_settings, settings
from vestibule.db import browsers
from vestibule.db.engine import database
from vestibule.db.models.base import is_storable
from vestibule.db.statements import (
    BATCH_PAUSE_SECONDS,
    MAX_BATCH_ROWS,
    delete_in_batches,
    insert_into,
)
from vestibule.db.tables import (
    ENDED_SESSIONS,
    HOST_SESSIONS,
    SESSION_RULES,
    USER_SESSIONS,
)

#: Sessions that a purge of idle sessions scans in one query.
MAX_ROWS_SCANNED = 10_000
_IS_PARENT = USER_SESSIONS.c.id == HOST_SESSIONS.c.parent_id
_REASON = select(ENDED_SESSIONS.c.reason, ENDED_SESSIONS.c.ended_at).where(
    ENDED_SESSIONS.c.session_digest == bindparam("digest")
)
#: The settings that both must have.
RULE_SETTINGS: tuple[settings.Setting[object], ...] = (
    settings.AUTH_TYPE,
    settings.SESSION_NAME,
    settings.SESSION_DURATION,
    settings.SESSION_IDLE_TIMEOUT,
    settings.SESSION_MAX_AGE,
    settings.SESSION_TOUCH_INTERVAL,
    page_settings.APP_HOSTS,
    access_settings.REQUIRE_MFA,
    access_settings.MFA_GRACE,
)


class Rotation(NamedTuple):
    """The digests of a session's secret id before and after a rotation."""

    old: str
    new: str


def delete_by_digest(digest: str, reason: str) -> bool:
    """End the session with this digest; return True if there was one."""
    with database().transaction() as connection:
        condition = USER_SESSIONS.c.session_digest == digest
        return delete_where(connection, reason, condition) > 0


def delete_by_handle(handle: str, reason: str, user_id: str | None) -> bool:
    """End the session with this handle; return True if there was one.

    If `user_id` is given, it must be a session of that user.
    """
    if not is_storable(handle):
        return False
    condition = USER_SESSIONS.c.id == handle
    if user_id is not None:
        condition &= USER_SESSIONS.c.user_id == user_id
    with database().transaction() as connection:
        return delete_where(connection, reason, condition) > 0


def delete_for_user(
    reason: str, user_id: str | None, keep_handle: str | None = None
) -> int:
    """End the sessions of a user, or of all users; return how many.

    `keep_handle` is the handle of a session that stays. The sessions of one
    user end in one transaction, those of all users in batches.
    """
    kept = [] if keep_handle is None else [USER_SESSIONS.c.id != keep_handle]
    if user_id is None:
        return _delete_in_batches(reason, kept)
    of_user = and_(USER_SESSIONS.c.user_id == user_id, *kept)
    with database().transaction() as connection:
        return delete_where(connection, reason, of_user)


def delete_created_before(moment: datetime, reason: str) -> int:
    """End the sessions that began before a moment; return how many."""
    expired = [USER_SESSIONS.c.created_at < moment]
    return _delete_in_batches(reason, expired, BATCH_PAUSE_SECONDS)


def delete_idle_since(moment: datetime, reason: str) -> int:
    """End the sessions last used before a moment; return how many.

    No index contains the last use, because each use would then change the
    index. So the sessions that began before the moment are scanned by age,
    at most `MAX_ROWS_SCANNED` in one query.
    """
    began, id = USER_SESSIONS.c.created_at, USER_SESSIONS.c.id
    seen = func.coalesce(USER_SESSIONS.c.last_seen_at, began)
    older = select(began, id).where(began < moment).order_by(began, id)
    deleted, conditions = 0, list[ColumnElement[bool]]()
    while True:
        # The index alone answers this.
        last = older.where(*conditions).offset(MAX_ROWS_SCANNED - 1).limit(1)
        found = database().fetch_all(last)
        end = [began < moment]
        if found:
            end = _up_to(found[0].created_at, found[0].id)
        idle = [*conditions, *end, seen < moment]
        deleted += _delete_in_batches(reason, idle, BATCH_PAUSE_SECONDS)
        if not found:
            return deleted
        conditions = [began >= found[0].created_at, not_(and_(*end))]


def _up_to(moment: datetime, handle: str) -> list[ColumnElement[bool]]:
    """Return the conditions for the sessions up to one, by their age.

    The first one is redundant, but the database enters the index by it.
    """
    began, id = USER_SESSIONS.c.created_at, USER_SESSIONS.c.id
    return [began <= moment, or_(began < moment, id <= handle)]


def enforce_session_limit(
    connection: Connection, user_id: str, limit: int, reason: str
) -> int:
    """End all sessions of a user but the newest `limit`; return how many.

    `connection` has the transaction that adds a session. On PostgreSQL two
    logins of a user could run at the same time without seeing each other's
    session; an advisory lock makes one wait for the other.
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
        .offset(limit)
    )
    handles = list(connection.scalars(oldest))
    return delete_where(connection, reason, USER_SESSIONS.c.id.in_(handles))


def delete_for_user_in_transaction(
    connection: Connection,
    user_id: str,
    reason: str,
    keep_digest: str | None = None,
) -> int:
    """End a user's sessions within the caller's transaction.

    No browser is trusted any more. Return how many sessions ended.
    `keep_digest` is the digest of a session that stays.
    """
    browsers.end_trust_in_transaction(connection, user_id)
    condition = USER_SESSIONS.c.user_id == user_id
    if keep_digest is not None:
        digest = USER_SESSIONS.c.session_digest
        condition &= or_(digest.is_(None), digest != keep_digest)
        # Its applications get new secret ids as well.
        is_kept = (digest == keep_digest) & _IS_PARENT
        connection.execute(
            delete(HOST_SESSIONS).where(exists().where(is_kept))
        )
    return delete_where(connection, reason, condition)


def rotate(
    old: str,
    new: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Replace a session's digest `old` by `new`, authenticated at `now`.

    `facts` are new values of other columns. Return False if there is no
    such session.
    """
    with database().transaction() as connection:
        return rotate_in_transaction(
            connection, Rotation(old, new), now, facts
        )


def rotate_in_transaction(
    connection: Connection,
    rotation: Rotation,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Replace a session's digest within the caller's transaction.

    Return False if there is no such session.
    """
    statement = (
        update(USER_SESSIONS)
        .where(USER_SESSIONS.c.session_digest == rotation.old)
        .values(
            session_digest=rotation.new,
            authenticated_at=now,
            last_seen_at=now,
            **(facts or {}),
        )
    )
    if not connection.execute(statement).rowcount:
        return False
    ended = insert_into(ENDED_SESSIONS).on_conflict_do_nothing()
    connection.execute(ended.values((rotation.old, "rotated", clock.now())))
    return True


def end_reason(digest: str, since: datetime) -> str | None:
    """Return why the session with this digest ended.

    Return `None` if it has not ended, or ended before `since`.
    """
    found = database().fetch_all(_REASON, {"digest": digest})
    if not found or found[0].ended_at < since:
        return None
    reason: str = found[0].reason
    return reason


def purge_end_reasons(before: datetime) -> None:
    """Delete the end reasons from before a moment."""
    delete_in_batches(ENDED_SESSIONS, ENDED_SESSIONS.c.ended_at < before)


def _delete_in_batches(
    reason: str,
    conditions: Sequence[ColumnElement[bool]],
    pause: float = 0,
) -> int:
    """End all sessions that meet the conditions; return how many.

    There are `pause` seconds between two batches. The loop ends as that of
    `vestibule.db.statements.delete_in_batches` does.
    """
    next_batch = (
        select(USER_SESSIONS.c.id).where(*conditions).limit(MAX_BATCH_ROWS)
    )
    deleted = 0
    # Most often there is nothing to delete, and a read finds that out.
    while batch := [row[0] for row in database().fetch_all(next_batch)]:
        in_batch = USER_SESSIONS.c.id.in_(batch)
        with database().transaction() as connection:
            # A session that was used since may not meet the conditions now.
            deleted += delete_where(
                connection, reason, and_(in_batch, *conditions)
            )
        if len(batch) < MAX_BATCH_ROWS:
            break
        time.sleep(pause)
    return deleted


def delete_where(
    connection: Connection, reason: str, condition: ColumnElement[bool]
) -> int:
    """Delete the sessions that meet the condition; return how many.

    Applications' sessions go with them and are not counted. The database
    copies the digests to ended_sessions: there may be too many to load.
    """
    digest = USER_SESSIONS.c.session_digest
    now = literal(clock.now(), ENDED_SESSIONS.c.ended_at.type)
    record = insert_into(ENDED_SESSIONS).on_conflict_do_nothing()
    columns = list(ENDED_SESSIONS.c)
    if connection.dialect.name == "sqlite":
        ended = select(digest, literal(reason), now).where(
            condition, digest.is_not(None)
        )
        of_hosts = (
            select(HOST_SESSIONS.c.session_digest, literal(reason), now)
            .join_from(HOST_SESSIONS, USER_SESSIONS, _IS_PARENT)
            .where(condition)
        )
        found = union_all(ended, of_hosts).subquery()
        # Sorted digests take half the time. Without WHERE, SQLite would read
        # ON CONFLICT as part of a join.
        both = select(found).where(true()).order_by(found.c[0])
        connection.execute(record.from_select(columns, both))
        return connection.execute(
            delete(USER_SESSIONS).where(condition)
        ).rowcount
    gone = (
        delete(USER_SESSIONS)
        .where(condition)
        .returning(digest, USER_SESSIONS.c.id)
        .cte()
    )
    ended = select(gone.c.session_digest, literal(reason), now).where(
        gone.c.session_digest.is_not(None)
    )
    of_hosts = select(
        HOST_SESSIONS.c.session_digest, literal(reason), now
    ).join_from(HOST_SESSIONS, gone, HOST_SESSIONS.c.parent_id == gone.c.id)
    counted = select(func.count()).select_from(gone)
    recorded = record.from_select(columns, union_all(ended, of_hosts)).cte()
    return int(connection.scalar(counted.add_cte(recorded)) or 0)


def current_rules() -> dict[str, str]:
    """Return the rules of this process by the names of the settings."""
    rules = {setting.name: setting.text() or "" for setting in RULE_SETTINGS}
    return rules | {
        access_settings.REQUIRE_MFA.name: access_settings.required_of()
    }


def stored_rules() -> dict[str, str]:
    """Return the stored rules; empty if no service has stored any."""
    return {
        row.name: row.value
        for row in database().fetch_all(select(SESSION_RULES))
    }


def store_rules(rules: Mapping[str, str]) -> None:
    """Replace the stored rules, unless they are the same."""
    if stored_rules() == rules:
        return
    rows = [{"name": name, "value": value} for name, value in rules.items()]
    with database().transaction() as connection:
        connection.execute(delete(SESSION_RULES))
        connection.execute(insert(SESSION_RULES), rows)

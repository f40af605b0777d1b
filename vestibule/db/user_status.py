#!/usr/bin/env python3
"""What kinds of users there are.

How users stand: their role, whether they may come in, that they are.

Its law: once there is an admin there always is one who may come in. A
change that could take the last one away looks for another in the
transaction that makes it, with all admins locked: of two admins who take
each other's role away at once, one stays.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal, select, update

from vestibule.core import clock
from vestibule.core.errors import LastAdmin, RecordGone
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User
from vestibule.db.tables import USERS

# In one order, so that two who lock them never wait for each other.
# SQLite has one writer at a time and needs no locks.
_LOCK_ADMINS = (
    select(USERS.c.id)
    .where(USERS.c.role == Role.ADMIN.value, USERS.c.disabled_at.is_(None))
    .order_by(USERS.c.id)
    .with_for_update()
)


def set_role(user_id: str, role: Role) -> None:
    """Give a user a role; raise `LastAdmin` or `NotStored`."""
    with database().transaction() as connection:
        if role is not Role.ADMIN:
            _require_another_admin(connection, user_id)
        _update_user(connection, user_id, role=role.value)


def disable(user_id: str, since: datetime, reason: str) -> None:
    """Keep a user out, and end its sessions; one who is out stays so.

    Raise `LastAdmin` or `NotStored`.
    """
    with database().transaction() as connection:
        _require_another_admin(connection, user_id)
        column = USERS.c.disabled_at
        first = func.coalesce(column, literal(since, column.type))
        _update_user(connection, user_id, disabled_at=first)
        session_queries.delete_for_user_in_transaction(
            connection, user_id, reason
        )


def enable(user_id: str, reason: str) -> None:
    """Let a user in again; sessions that began meanwhile end.

    A login that was under way while the user was disabled may have made
    one. Raise `NotStored`.
    """
    with database().transaction() as connection:
        _update_user(connection, user_id, disabled_at=None)
        session_queries.delete_for_user_in_transaction(
            connection, user_id, reason
        )


def remove(user: User) -> None:
    """Delete a user and what belongs to it; raise `LastAdmin`."""
    with database().transaction() as connection:
        # Looking for another admin locks this one's row.
        user.delete_reset_code(connection)
        _require_another_admin(connection, user.id)
        user.remove_in_transaction(connection)


def _require_another_admin(connection: Connection, user_id: str) -> None:
    """Raise `LastAdmin` if no other admin may come in than this user."""
    if list(connection.scalars(_LOCK_ADMINS)) == [user_id]:
        raise LastAdmin


def _update_user(connection: Connection, user_id: str, **values: Any) -> None:
    """Write columns of a user; raise `NotStored` if it is not there."""
    changed = connection.execute(
        update(USERS)
        .where(USERS.c.id == user_id)
        .values(updated_at=clock.now(), **values)
    )
    if not changed.rowcount:
        raise RecordGone("there is no such user")

#!/usr/bin/env python3
"""Queries that change a user's role, disable, enable or delete the user.

Once there is an admin, there always is one who is not disabled. A change
that could remove the last one looks for another in its own transaction,
with the rows of all admins locked: if two admins demote each other at the
same moment, one of them stays.

Users may read each other's names by their ids, and nothing else: an email is
what a stranger needs to try passwords.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, literal, select, update
from sqlalchemy.exc import IntegrityError

from vestibule.core import clock
from vestibule.core.errors import DuplicateEmail, LastAdmin, RecordGone
from vestibule.db import session_queries
from vestibule.db.column_types import parse_moment
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User
from vestibule.db.outgoing_mails import NewMail, add_in_transaction
from vestibule.db.tables import USERS

# The rows are locked in a fixed order, so that two transactions never wait
# for each other. SQLite has one writer at a time and needs no locks.
_LOCK_ADMINS = (
    select(USERS.c.id)
    .where(USERS.c.role == Role.ADMIN.value, USERS.c.disabled_at.is_(None))
    .order_by(USERS.c.id)
    .with_for_update()
)


def set_role(user_id: str, role: Role, mails: Sequence[NewMail] = ()) -> None:
    """Set a user's role and queue mails; raise `LastAdmin` or `RecordGone`."""
    with database().transaction() as connection:
        if role is not Role.ADMIN:
            _require_another_admin(connection, user_id)
        _update_user(connection, user_id, role=role.value)
        add_in_transaction(connection, mails)


def set_language(user_id: str, language: str) -> None:
    """Store the language of mails to a user."""
    with database().transaction() as connection:
        connection.execute(
            update(USERS)
            .where(USERS.c.id == user_id)
            .values(language=language)
        )


def begin_factor_requirement(user_id: str, now: datetime) -> datetime | None:
    """Store that a factor is required of the user since `now`.

    Return the moment that is stored: an earlier one stays. `None` if the
    user is not stored.
    """
    stored = USERS.c.factor_required_at
    with database().transaction() as connection:
        connection.execute(
            update(USERS)
            .where(USERS.c.id == user_id, stored.is_(None))
            .values(factor_required_at=now)
        )
        since = connection.scalar(select(stored).where(USERS.c.id == user_id))
    return None if since is None else parse_moment(since)


def save_changes(user: User) -> None:
    """Update the columns of a user that changed, the role too.

    Raise `DuplicateEmail`, `LastAdmin` or `RecordGone`.
    """
    _, changed = user.changes()
    del changed["updated_at"]
    try:
        with database().transaction() as connection:
            # The reset code comes first, as in every transaction.
            user.delete_dependents(connection, changed)
            if changed.get("role", Role.ADMIN) != Role.ADMIN:
                _require_another_admin(connection, user.id)
            _update_user(connection, user.id, **changed)
    except IntegrityError:
        raise DuplicateEmail from None


def disable(user_id: str, now: datetime, reason: str) -> None:
    """Disable a user and end the user's sessions.

    A user who was disabled before keeps that date. Raise `LastAdmin` or
    `RecordGone`.
    """
    with database().transaction() as connection:
        _require_another_admin(connection, user_id)
        column = USERS.c.disabled_at
        first = func.coalesce(column, literal(now, column.type))
        _update_user(connection, user_id, disabled_at=first)
        session_queries.delete_for_user_in_transaction(
            connection, user_id, reason
        )


def enable(user_id: str, reason: str) -> None:
    """Enable a user, and end sessions that began in the meantime.

    A login that was in progress when the user was disabled may have
    created one. Raise `RecordGone`.
    """
    with database().transaction() as connection:
        _update_user(connection, user_id, disabled_at=None)
        session_queries.delete_for_user_in_transaction(
            connection, user_id, reason
        )


def remove(user: User) -> None:
    """Delete a user, its sessions and reset code; raise `LastAdmin`."""
    with database().transaction() as connection:
        # All transactions lock a reset code before its user, and the check
        # for another admin locks the user.
        user.delete_reset_code(connection)
        _require_another_admin(connection, user.id)
        user.remove_in_transaction(connection)


def _require_another_admin(connection: Connection, user_id: str) -> None:
    """Raise `LastAdmin` if this user is the only enabled admin."""
    if list(connection.scalars(_LOCK_ADMINS)) == [user_id]:
        raise LastAdmin


def _update_user(connection: Connection, user_id: str, **values: Any) -> None:
    """Update columns of a user; raise `RecordGone` if it was deleted."""
    updated = connection.execute(
        update(USERS)
        .where(USERS.c.id == user_id)
        .values(updated_at=clock.now(), **values)
    )
    if not updated.rowcount:
        raise RecordGone("there is no such user")


class NamedUser(NamedTuple):
    """What every user may know of another."""

    id: str
    first_name: str | None
    last_name: str | None

    def to_json(self) -> dict[str, str | None]:
        """Return the fields, and both names as one text; "" without any."""
        names = (self.first_name, self.last_name)
        return {
            **self._asdict(),
            "name": " ".join(name for name in names if name),
        }


def find_names(ids: Sequence[str]) -> list[NamedUser]:
    """Return the users who have one of the `ids`, in their order.

    An unknown id is left out. Disabled users are there: an application
    shows what they wrote.
    """
    columns = USERS.c.id, USERS.c.first_name, USERS.c.last_name
    rows = database().fetch_all(select(*columns).where(USERS.c.id.in_(ids)))
    known = {
        row[0]: NamedUser(row.id, row.first_name, row.last_name)
        for row in rows
    }
    return [known[one] for one in ids if one in known]

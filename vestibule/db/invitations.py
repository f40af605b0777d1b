#!/usr/bin/env python3
"""The open invitations: reset codes of users who never had a password.

A user who removed the password has had passkeys; a code of theirs is for a
lost passkey, and no invitation. An invitation is open until it is used,
revoked or replaced, or until it expires. The list is sorted and paged as the
other lists of admins are.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Select, and_, delete, exists, select

from vestibule.db import keyset
from vestibule.db.engine import database
from vestibule.db.keyset import Count, Cursor, Order, Source
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.db.passkey_tables import PASSKEY_HANDLES
from vestibule.db.tables import RESET_CODES, USERS

_C = RESET_CODES.c
#: The columns that sort the list. The id of the user makes each unique.
_COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "email": (USERS.c.email_key, _C.user_id),
    "created": (_C.created_at, _C.user_id),
    "expires": (_C.expires_at, _C.user_id),
}
# The handle stays when the passkeys are removed.
_IS_INVITED = and_(
    USERS.c.password.is_(None),
    ~exists().where(PASSKEY_HANDLES.c.user_id == USERS.c.id),
)
#: What `sort` may be: a column, or a column with "-" for descending.
INVITATION_SORTS = tuple(
    sign + name for name in _COLUMNS for sign in ("", "-")
)
#: The order of the list if none is chosen.
NEWEST_INVITATIONS_FIRST = "-created"


class OpenInvitation(NamedTuple):
    """An invitation that was not used yet."""

    user_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    created_at: datetime
    expires_at: datetime
    #: The id of the actor who issued it; `None` for a script.
    by_id: str | None


class InvitationPage(NamedTuple):
    """Some open invitations, and the cursors of the pages beside them."""

    invitations: list[OpenInvitation]
    next: Cursor | None
    previous: Cursor | None


def search_page(
    sort: str, limit: int, cursor: Cursor | None, now: datetime
) -> InvitationPage:
    """Return a page of the invitations that are open at `now`.

    `sort` is one of `INVITATION_SORTS`. Raise `InvalidValue` for a cursor
    of another order.
    """
    order = Order(_COLUMNS[sort.removeprefix("-")], sort.startswith("-"))
    found = keyset.fetch(_source(now), order, limit, cursor)
    return InvitationPage(
        [
            OpenInvitation(
                row.user_id,
                row.email,
                row.first_name,
                row.last_name,
                row.created_at,
                row.expires_at,
                row.by_id,
            )
            for row in found.rows
        ],
        found.next,
        found.previous,
    )


def count(now: datetime) -> Count:
    """Return how many invitations are open at `now`."""
    return keyset.count(_source(now))


def is_invited(user: User) -> bool:
    """Return True if a code for `user` is an invitation, not a reset."""
    if user.has_password:
        return False
    invited = select(USERS.c.id).where(USERS.c.id == user.id, _IS_INVITED)
    return bool(database().fetch_all(invited))


def delete_invitation(user_id: str, now: datetime) -> bool:
    """Delete a user's open invitation; return True if there was one."""
    if not is_storable(user_id):
        return False
    invited = exists().where(USERS.c.id == _C.user_id, _IS_INVITED)
    with database().transaction() as connection:
        deleted = connection.execute(
            delete(RESET_CODES).where(
                _C.user_id == user_id, _C.expires_at > now, invited
            )
        )
    return deleted.rowcount > 0


def _source(now: datetime) -> Source:
    """Return where the invitations that are open at `now` come from."""
    rows: Select[Any] = (
        select(
            _C.user_id,
            _C.created_at,
            _C.expires_at,
            _C.by_id,
            USERS.c.email,
            USERS.c.email_key,
            USERS.c.first_name,
            USERS.c.last_name,
        )
        .join_from(RESET_CODES, USERS, USERS.c.id == _C.user_id)
        .where(
            _C.expires_at > now,
            _IS_INVITED,
            USERS.c.disabled_at.is_(None),
        )
    )
    return Source(rows, lambda columns: [], True)

#!/usr/bin/env python3
"""The tables reset_codes and setup_codes, and the invitations among the codes.

Only digests are stored. A user has one reset code at most; using it and
setting the password are one transaction. Each server that starts without
users adds a setup code of its own; using one creates the first admin and
deletes all of them in one transaction. So of two requests with the same
code at once, one succeeds.

An open invitation is the reset code of a user who never had a password. A
user who removed the password has had passkeys; a code of theirs is for a
lost passkey, and no invitation. An invitation is open until it is used,
revoked or replaced, or until it expires. The list is sorted and paged as the
other lists of admins are.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Select,
    and_,
    delete,
    exists,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from vestibule.core.errors import DuplicateEmail
from vestibule.db import keyset, session_queries
from vestibule.db.engine import database
from vestibule.db.factor_tables import PASSKEY_HANDLES
from vestibule.db.keyset import Count, Cursor, Order, Source
from vestibule.db.mail_tokens import end_password_links
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.db.statements import insert_into
from vestibule.db.tables import RESET_CODES, SETUP_CODES, USERS

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
#: The order of the list if none is chosen.
NEWEST_INVITATIONS_FIRST = "-created"


class NewCode(NamedTuple):
    """A reset code to store: its digest, its times, and who issued it."""

    digest: str
    created_at: datetime
    expires_at: datetime
    by_id: str | None


_ANY_USER = select(USERS.c.id).limit(1)
# The rows are locked in a fixed order, so that two transactions never wait
# for each other. SQLite has one writer at a time and needs no locks.
_LOCK_ALL_CODES = (
    select(SETUP_CODES.c.code_digest, SETUP_CODES.c.created_at)
    .order_by(SETUP_CODES.c.code_digest)
    .with_for_update()
)


def replace_reset_code(user_id: str, code: NewCode) -> None:
    """Store a user's new code in place of the previous one."""
    with database().transaction() as connection:
        _replace_in_transaction(connection, user_id, code)


def replace_invitation(user_id: str, code: NewCode, until: datetime) -> None:
    """Store the code of a new invitation in place of the previous one.

    The links of invitations that were mailed at `until` or before end too.
    """
    with database().transaction() as connection:
        _replace_in_transaction(connection, user_id, code)
        end_password_links(connection, user_id, until)


def add_user_with_reset_code(user: User, code: NewCode) -> None:
    """Store a new user and its code; raise `DuplicateEmail`.

    In one transaction: a user without a code could not log in, and would
    block the next invitation to the same email.
    """
    try:
        with database().transaction() as connection:
            user.insert_in_transaction(connection)
            _replace_in_transaction(connection, user.id, code)
    except IntegrityError:
        raise DuplicateEmail from None


def user_id_for_reset_code(
    email_key: str, digest: str, now: datetime
) -> str | None:
    """Return the id of the user with this email and code, or `None`.

    The code must not have expired, and the user not be disabled.
    """
    found = database().fetch_all(
        select(USERS.c.id)
        .join_from(USERS, RESET_CODES, RESET_CODES.c.user_id == USERS.c.id)
        .where(
            USERS.c.email_key == email_key,
            USERS.c.disabled_at.is_(None),
            RESET_CODES.c.code_digest == digest,
            RESET_CODES.c.expires_at > now,
        )
    )
    return str(found[0][0]) if found else None


def redeem_reset_code(
    user_id: str, digest: str, password_hash: str, now: datetime, reason: str
) -> bool:
    """Delete the code, store the password's hash, end all sessions.

    Return False, and change nothing, if there is no such code.
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
    connection: Connection, user_id: str, code: NewCode
) -> None:
    """Store a user's new code within the caller's transaction."""
    values = {
        "code_digest": code.digest,
        "created_at": code.created_at,
        "expires_at": code.expires_at,
        "by_id": code.by_id,
    }
    statement = insert_into(RESET_CODES).values(user_id=user_id, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id"], set_=values
        )
    )


def has_users() -> bool:
    """Return True if there is any user."""
    return bool(database().fetch_all(_ANY_USER))


def add_setup_code(digest: str, now: datetime, since: datetime) -> None:
    """Store a new code; delete those that are not newer than `since`."""
    with database().transaction() as connection:
        connection.execute(
            delete(SETUP_CODES).where(SETUP_CODES.c.created_at <= since)
        )
        connection.execute(
            insert(SETUP_CODES).values(code_digest=digest, created_at=now)
        )


def has_setup_code(since: datetime) -> bool:
    """Return True if there is a code that is newer than `since`."""
    one = select(SETUP_CODES.c.code_digest).limit(1)
    return bool(
        database().fetch_all(one.where(SETUP_CODES.c.created_at > since))
    )


def is_setup_code(digest: str, since: datetime) -> bool:
    """Return True if this is a stored code that is newer than `since`."""
    return bool(
        database().fetch_all(
            select(SETUP_CODES.c.code_digest).where(
                SETUP_CODES.c.code_digest == digest,
                SETUP_CODES.c.created_at > since,
            )
        )
    )


def redeem_setup_code(digest: str, since: datetime, admin: User) -> bool:
    """Store `admin` as the first user, and delete all codes.

    Return False, and change nothing, if the code is not valid or there
    already is a user.
    """
    try:
        with database().transaction() as connection:
            moments = {
                row.code_digest: row.created_at
                for row in connection.execute(_LOCK_ALL_CODES)
            }
            if digest not in moments or moments[digest] <= since:
                return False
            if connection.execute(_ANY_USER).first() is not None:
                return False
            admin.insert_in_transaction(connection)
            connection.execute(delete(SETUP_CODES))
    except IntegrityError:
        # A user with the same email was created at the same moment.
        return False
    return True


#: What `sort` may be: a column, or a column with "-" for descending.
INVITATION_SORTS = tuple(
    sign + name for name in _COLUMNS for sign in ("", "-")
)


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


def search_invitations(
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


def count_invitations(now: datetime) -> Count:
    """Return how many invitations are open at `now`."""
    return keyset.count(_source(now))


def is_invited(user: User) -> bool:
    """Return True if a code for `user` is an invitation, not a reset."""
    if user.has_password:
        return False
    invited = select(USERS.c.id).where(USERS.c.id == user.id, _IS_INVITED)
    return bool(database().fetch_all(invited))


def delete_invitation(user_id: str, now: datetime) -> bool:
    """Delete a user's open invitation; return True if there was one.

    Its link may have been mailed, or wait to be.
    """
    if not is_storable(user_id):
        return False
    invited = exists().where(USERS.c.id == _C.user_id, _IS_INVITED)
    with database().transaction() as connection:
        deleted = connection.execute(
            delete(RESET_CODES).where(
                _C.user_id == user_id, _C.expires_at > now, invited
            )
        )
        if deleted.rowcount:
            end_password_links(connection, user_id, now)
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

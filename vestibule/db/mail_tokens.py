#!/usr/bin/env python3
"""The table mail_tokens: what the links and codes of mails prove.

The code that an admin hands out to reset second factors is here too. Only
digests are stored. A token is used once: its row, and the rows of the
same user and purpose, are deleted in the transaction of what it allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Connection,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from vestibule.core import clock
from vestibule.core.errors import DuplicateEmail
from vestibule.core.text import email_key
from vestibule.db import factors, outgoing_mails, session_queries
from vestibule.db.column_types import UTCMoment
from vestibule.db.engine import database
from vestibule.db.outgoing_mails import FAILED, QUEUED, NewMail
from vestibule.db.statements import delete_in_batches
from vestibule.db.tables import (
    MAIL_TOKENS,
    OUTGOING_MAILS,
    RESET_CODES,
    USERS,
)

#: Wrong codes after which the code of a mail is invalid (ASVS 5.0, 6.6.3);
#: its link still works.
MAX_CODE_TRIES = 5
#: What a new password or email makes invalid: links to set a password, and
#: to confirm the email.
PASSWORD_PURPOSES = ("reset", "invitation", "confirm")
#: Those whose link sets a password.
_LINK_PURPOSES = ("reset", "invitation")
_TOKEN = MAIL_TOKENS.c


@dataclass(frozen=True)
class TypedCode:
    """The short code beside a link, for the browser that asked for it."""

    digest: str
    expires_at: datetime
    browser_digest: str


@dataclass(frozen=True)
class MailToken:
    """What a token proves: that `address` was read by its owner."""

    token_digest: str
    purpose: str
    user_id: str
    address: str
    expires_at: datetime
    #: Set for a token to store; a stored one does not show it.
    code: TypedCode | None = None


_COLUMNS = [
    _TOKEN[name] for name in MailToken.__dataclass_fields__ if name != "code"
]


def add(tokens: Sequence[MailToken]) -> None:
    """Store tokens, each with the code of the same mail."""
    if not tokens:
        return
    with database().transaction() as connection:
        _insert(connection, tokens)


def replace(token: MailToken, mails: Sequence[NewMail] = ()) -> None:
    """Store a token in place of its user's others of the same purpose.

    Queue `mails`.
    """
    with database().transaction() as connection:
        delete_in_transaction(connection, token.user_id, token.purpose)
        _insert(connection, [token])
        outgoing_mails.add_in_transaction(connection, mails)


def _insert(connection: Connection, tokens: Sequence[MailToken]) -> None:
    """Store tokens within the caller's transaction."""
    now = clock.now()
    connection.execute(
        insert(MAIL_TOKENS),
        [
            {
                "token_digest": token.token_digest,
                "created_at": now,
                "expires_at": token.expires_at,
                "purpose": token.purpose,
                "user_id": token.user_id,
                "address": token.address,
                "code_digest": token.code and token.code.digest,
                "code_expires_at": token.code and token.code.expires_at,
                "browser_digest": token.code and token.code.browser_digest,
            }
            for token in tokens
        ],
    )


def find(token_digest: str, purpose: str) -> MailToken | None:
    """Return the token with this digest, unless it has expired."""
    found = database().fetch_all(
        select(*_COLUMNS).where(
            _TOKEN.token_digest == token_digest,
            _TOKEN.purpose == purpose,
            _TOKEN.expires_at > clock.now(),
        )
    )
    return MailToken(*tuple(found[0])) if found else None


def find_by_code(
    user_id: str, purpose: str, code_digest: str, browser_digest: str
) -> MailToken | None:
    """Return the token of a typed code; count a wrong one.

    The code must have been asked for by this browser. One statement counts
    and compares, so that guesses at the same moment are all counted.
    """
    now = clock.now()
    with database().transaction() as connection:
        rows = connection.execute(
            update(MAIL_TOKENS)
            .where(
                _TOKEN.user_id == user_id,
                _TOKEN.purpose == purpose,
                _TOKEN.browser_digest == browser_digest,
                _TOKEN.code_expires_at > now,
                _TOKEN.code_tries < MAX_CODE_TRIES,
            )
            .values(code_tries=_TOKEN.code_tries + 1)
            .returning(*_COLUMNS, _TOKEN.code_digest)
        ).all()
    for row in rows:
        if row.code_digest == code_digest:
            return MailToken(*tuple(row)[:-1])
    return None


def use_in_transaction(connection: Connection, token: MailToken) -> bool:
    """Delete the token and its siblings; return False if it was used."""
    used = connection.execute(
        delete(MAIL_TOKENS).where(
            _TOKEN.token_digest == token.token_digest,
            _TOKEN.expires_at > clock.now(),
        )
    )
    if not used.rowcount:
        return False
    delete_in_transaction(connection, token.user_id, token.purpose)
    return True


def delete_in_transaction(
    connection: Connection, user_id: str, *purposes: str
) -> None:
    """Delete a user's tokens of these purposes; without any, all."""
    condition = _TOKEN.user_id == user_id
    if purposes:
        condition &= _TOKEN.purpose.in_(purposes)
    connection.execute(delete(MAIL_TOKENS).where(condition))


def end_password_links(
    connection: Connection, user_id: str, until: datetime
) -> None:
    """Delete a user's links for a password, made at `until` or before.

    Mails with such links that still wait are dropped.
    """
    connection.execute(
        delete(MAIL_TOKENS).where(
            _TOKEN.user_id == user_id,
            _TOKEN.purpose.in_(_LINK_PURPOSES),
            _TOKEN.created_at <= until,
        )
    )
    connection.execute(
        update(OUTGOING_MAILS)
        .where(
            OUTGOING_MAILS.c.user_id == user_id,
            OUTGOING_MAILS.c.kind.in_(_LINK_PURPOSES),
            OUTGOING_MAILS.c.state == QUEUED,
            OUTGOING_MAILS.c.created_at <= until,
        )
        .values(state=FAILED, error="dropped", leased_until=None)
    )


def purge() -> int:
    """Delete expired tokens; return how many."""
    now = clock.now() - timedelta(seconds=1)
    return delete_in_batches(MAIL_TOKENS, _TOKEN.expires_at < now)


def set_password(
    token: MailToken,
    password_hash: str,
    reason: str,
    mails: Sequence[NewMail],
) -> bool:
    """Store a password's hash, end all sessions, use the token up.

    The mail was read, so its address is confirmed. Queue `mails`. Return
    False, and change nothing, if the token was used meanwhile.
    """
    now = clock.now()
    with database().transaction() as connection:
        delete_reset_codes(connection, token.user_id)
        if not use_in_transaction(connection, token):
            return False
        delete_in_transaction(connection, token.user_id, *PASSWORD_PURPOSES)
        connection.execute(
            update(USERS)
            .where(USERS.c.id == token.user_id)
            .values(
                password=password_hash,
                email_verified_at=func.coalesce(
                    USERS.c.email_verified_at, literal(now, UTCMoment)
                ),
                updated_at=now,
            )
        )
        session_queries.delete_for_user_in_transaction(
            connection, token.user_id, reason
        )
        outgoing_mails.add_in_transaction(connection, mails)
    return True


def reset_factors(
    token: MailToken, reason: str, mails: Sequence[NewMail]
) -> bool:
    """Delete all factors of the user, end all sessions, use the token up.

    Queue `mails`. Return False, and change nothing, if the token was used
    meanwhile.
    """
    user_id = token.user_id
    with database().transaction() as connection:
        if not use_in_transaction(connection, token):
            return False
        user = select(USERS.c.id).where(USERS.c.id == user_id)
        connection.execute(user.with_for_update())
        factors.delete_for_user_in_transaction(connection, user_id)
        session_queries.delete_for_user_in_transaction(
            connection, user_id, reason
        )
        outgoing_mails.add_in_transaction(connection, mails)
    return True


def confirm_email(token: MailToken) -> bool:
    """Record that the user's email was confirmed; use the token up.

    Return False, and change nothing, if the token was used meanwhile or
    the user has another email by now.
    """
    now = clock.now()
    with database().transaction() as connection:
        if not use_in_transaction(connection, token):
            return False
        updated = connection.execute(
            update(USERS)
            .where(
                USERS.c.id == token.user_id,
                USERS.c.email_key == email_key(token.address),
            )
            .values(email_verified_at=now, updated_at=now)
        )
    return updated.rowcount > 0


def change_email(
    token: MailToken,
    mails: Sequence[NewMail],
    end_reason: str | None = None,
) -> bool:
    """Give the user the token's address, confirmed; use the token up.

    Links to other mails stop working, except the one that takes a change
    back. With `end_reason` all sessions end. Raise `DuplicateEmail` if
    another user has the address. Return False if the token was used.
    """
    now = clock.now()
    try:
        with database().transaction() as connection:
            delete_reset_codes(connection, token.user_id)
            if not use_in_transaction(connection, token):
                return False
            delete_in_transaction(
                connection, token.user_id, *PASSWORD_PURPOSES, "change"
            )
            connection.execute(
                update(USERS)
                .where(USERS.c.id == token.user_id)
                .values(
                    email=token.address,
                    email_key=email_key(token.address),
                    email_verified_at=now,
                    updated_at=now,
                )
            )
            if end_reason is not None:
                session_queries.delete_for_user_in_transaction(
                    connection, token.user_id, end_reason
                )
            outgoing_mails.add_in_transaction(connection, mails)
    except IntegrityError:
        raise DuplicateEmail from None
    return True


def delete_reset_codes(connection: Connection, user_id: str) -> None:
    """Delete a user's reset code; always before the user's row is locked."""
    connection.execute(
        delete(RESET_CODES).where(RESET_CODES.c.user_id == user_id)
    )

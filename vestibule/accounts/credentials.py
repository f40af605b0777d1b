#!/usr/bin/env python3
"""Check and change a user's credentials: password and email.

A user who changes the password gives the present one in the same request.
If the password was changed by another request in the meantime, that change
wins. A password change ends the sessions that the old password opened.

Before an action that a thief of a session would try first, the password
must have been confirmed recently (OWASP ASVS 5.0, 7.5.1 and 7.5.3):
`vestibule.core.assurance.is_recent_auth` is that rule."""

from typing import Any

from vestibule.accounts.authentication import check_credentials, hash_queue
from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.throttle import limit_email_probes
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.core.errors import InvalidValue, WrongPassword
from vestibule.core.passwords import hash_password
from vestibule.core.text import MAX_EMAIL_LENGTH, email_key
from vestibule.db.models.user import User
from vestibule.db.session_queries import Rotation
from vestibule.mail.notices import MailKind, email_change_notice, notices
from vestibule.sessions.session import EndReason, new_session_id
from vestibule.sessions.store import SessionStore

#: Domains that are reserved for local networks and tests (RFC 6761, 6762,
#: 8375); each also stands for the names below it.
_LOCAL_DOMAINS = (".localhost", ".local", ".home.arpa", ".test")


def change_password(
    user: User,
    current: str,
    new: Any,
    store: SessionStore | None = None,
    session_id: str | None = None,
    *,
    actor: Actor,
) -> str | None:
    """Store `new` as the password of `user`, if `current` is right.

    All sessions of the user end, in the database in the same transaction,
    in another `store` after it. The session of `session_id` continues
    under a new id. Return that id, or `None` if there was no such session.
    Raise `InvalidValue` for a password that is not allowed,
    `WrongPassword`, or what `check_credentials` raises.
    """
    verify_password(user, current, actor=actor)
    if new == current:
        raise InvalidValue(
            "new_password", "is the present one", code="unchanged"
        )
    hashed = new_password_hash(user, new)
    kept, new_id = None, new_session_id()
    if session_id is not None:
        kept = Rotation(digest_of(session_id), digest_of(new_id))
    reason = EndReason.PASSWORD_CHANGED
    told = notices(MailKind.PASSWORD_CHANGED, user)
    is_kept = user.replace_password(hashed, reason, kept, told)
    log(EventType.PASSWORD_CHANGED, user=user.id)
    if is_kept:
        return new_id
    if store is None or store.in_database:
        return None
    session = None if session_id is None else store.find(session_id)
    store.end_all(reason, user.id, None if session is None else session.id)
    if session_id is None:
        return None
    return store.rotate(session_id, clock.now())


def set_password(user: User, new: Any, *, actor: Actor = LOCAL) -> None:
    """Store `new` as the password of `user`, whose sessions continue.

    For the command line, which needs no confirmation. Raise
    `InvalidValue` for a password that is not allowed, `ServiceBusy`, or
    `RecordGone`.
    """
    check_new_password(new, user.email)
    with hash_queue().turn():
        user.password = new
    user.save_changes(notices(MailKind.PASSWORD_CHANGED, user))
    log(EventType.PASSWORD_CHANGED, user=user.id, by=actor.id)


def new_password_hash(user: User, new: Any) -> str:
    """Return the hash of a new password for `user`.

    Raise `InvalidValue` if the password is not allowed, `ServiceBusy` if
    too many are being hashed.
    """
    check_new_password(new, user.email, "new_password")
    with hash_queue().turn():
        return hash_password(new)


def verify_password(user: User, password: str, *, actor: Actor) -> None:
    """Raise `WrongPassword` unless `password` is the user's."""
    account = user.email or user.id
    if check_credentials([user], account, password, actor=actor) is None:
        raise WrongPassword("wrong password")


def reauthenticate(user: User, password: str, *, actor: Actor) -> None:
    """Log that `password` is the user's; raise `WrongPassword` if not."""
    verify_password(user, password, actor=actor)
    log(EventType.REAUTHENTICATED, user=user.id)


def change_email(user: User, email: Any, *, actor: Actor = LOCAL) -> None:
    """Store `email` as the address of `user`.

    Raise `InvalidValue`, `DuplicateEmail`, `Throttled` after too many
    changes, or `RecordGone`.
    """
    check_email(email)
    told = email_change_notice(user)
    with limit_email_probes(email, actor, every=True):
        user.email = email
        user.save_changes(told)
    by = None if actor.id == user.id else actor.id
    log(EventType.EMAIL_CHANGED, user=user.id, by=by)


def check_email(email: Any) -> None:
    """Raise `InvalidValue` unless `email` is an address (RFC 5321, 5322).

    There is no DNS query. Hosts of a local network are allowed, with the
    names that are reserved for them (`localhost`, `corp.local`).
    """
    # Few processes check addresses, and the import takes a twelfth of the
    # time of a start.
    from email_validator import EmailNotValidError, validate_email

    if not isinstance(email, str):
        raise InvalidValue("email", "must be a string", code="invalid")
    # A long text is not parsed: the time may grow with the square of its
    # length.
    address = email.strip() if len(email) <= MAX_EMAIL_LENGTH else ""
    if f".{email_key(address).rpartition('@')[2]}".endswith(_LOCAL_DOMAINS):
        # The library refuses these names; the rest of its rules applies.
        address = f"{address}.example"
    try:
        validate_email(
            address,
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,
        )
    except (EmailNotValidError, UnicodeError):
        raise InvalidValue(
            "email", "is not an email address", code="invalid_email"
        ) from None

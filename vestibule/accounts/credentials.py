#!/usr/bin/env python3
"""What is changed of an account: password and email.

Its law: an owner who changes the password proves the present one in the
same request, and a password that was changed in the same moment by
somebody else stays changed. What the old password opened ends with it.

Whether somebody proved who they are a short time ago: one pure rule.

It is asked before what a thief of an open session would do first
(OWASP ASVS 5.0, 7.5.1 and 7.5.3).
"""

from datetime import datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email

from vestibule.accounts.authentication import check_credentials, hash_queue
from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.digest import digest_of
from vestibule.core.errors import InvalidValue, WrongPassword
from vestibule.core.passwords import hash_password
from vestibule.db.models.user import User
from vestibule.db.session_queries import Rotation
from vestibule.sessions import new_session_id
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore


def change_password(
    user: User,
    current: str,
    new: Any,
    store: SessionStore | None = None,
    session_id: str | None = None,
    *,
    actor: Actor,
) -> str | None:
    """Store `new` as the password of `user`, if `current` is the present.

    All sessions of the user end, in the database with the change itself,
    in another `store` after it: but for that of `session_id`, which gets a
    new id. Return that one, or `None` if there was no such session. Raise
    `InvalidValue` for a password that may not be taken, `WrongPassword`.
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
    is_kept = user.replace_password(hashed, reason, kept)
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
    """Store `new` as the password of `user`, whose sessions go on.

    For whoever keeps the machine, and needs no proof: `by`, for the log.
    Raise `InvalidValue` for a password that may not be taken, `Busy`, or
    `NotStored`.
    """
    check_new_password(new, user.email)
    with hash_queue().turn():
        user.password = new
    user.save_changes()
    log(EventType.PASSWORD_CHANGED, user=user.id, by=actor.id)


def new_password_hash(user: User, new: Any) -> str:
    """Return the hash of a password that `user` is to have from now on.

    Raise `InvalidValue` if it may not be taken, `Busy` if too many are
    being hashed.
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
    """Raise `WrongPassword` unless it is the user's; tell that it was."""
    verify_password(user, password, actor=actor)
    log(EventType.REAUTHENTICATED, user=user.id)


def change_email(user: User, email: Any) -> None:
    """Store another address of `user`.

    Raise `InvalidValue`, `DuplicateEmail`, or `NotStored`.
    """
    check_email(email)
    user.email = email
    user.save_changes()
    log(EventType.EMAIL_CHANGED, user=user.id)


def is_recent_auth(
    authenticated_at: datetime | None, window: timedelta, now: datetime
) -> bool:
    """Tell whether the proof at `authenticated_at` still counts at `now`."""
    return authenticated_at is not None and (now - authenticated_at <= window)


def check_email(email: Any) -> None:
    """Raise `InvalidValue` unless `email` is an address (RFC 5321, 5322).

    No DNS is asked, and hosts of a local network count; domains that are
    reserved for other uses do not (RFC 6761: `localhost`, `invalid`).
    """
    if not isinstance(email, str):
        raise InvalidValue("email", "must be a string", code="invalid")
    try:
        validate_email(
            email.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,
        )
    except (EmailNotValidError, UnicodeError):
        raise InvalidValue(
            "email", "is not an email address", code="invalid_email"
        ) from None

#!/usr/bin/env python3
"""Add, invite, disable, enable and remove users, and set their role.

The model layer accepts what scripts give; values from HTTP or the command
line are checked here first. An invited user has no password until they set
one with a code: an admin never learns or chooses it (OWASP ASVS 5.0, 6.4.6).
A disabled user has no session and cannot start one. Sessions in the
database end in the transaction of the change, those in the memory of this
process after it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from vestibule.accounts.authentication import hash_queue
from vestibule.accounts.credentials import check_email
from vestibule.accounts.mail_flows import confirmation_mails
from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.recovery import (
    RESET_CODE_LIFETIME,
    ResetCode,
    store_with_code,
)
from vestibule.accounts.revocation import end_in_memory
from vestibule.accounts.throttle import limit_email_probes
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.db import user_status
from vestibule.db.models.base import storable_text
from vestibule.db.models.user import Role, User, parse_role
from vestibule.mail.notices import MailKind, notices
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

#: Characters of a first or last name. Scripts that use the models are not
#: limited.
MAX_NAME_LENGTH = 200


def register(
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    *,
    strict: bool = False,
    language: str | None = None,
    role: Any = Role.MEMBER,
    actor: Actor = LOCAL,
) -> User:
    """Store and return a new user; with mail, send one to confirm the email.

    `strict` is as for `new_user`, `language` that of mails. Raise
    `InvalidValue` with the field that is not allowed, `DuplicateEmail`,
    `Throttled` after too many of these, or `ServiceBusy` when too many
    passwords are being hashed.
    """
    known = parse_role(role)
    check_email(email)
    with limit_email_probes(email, actor):
        user = new_user(email, password, first_name, last_name, strict)
        user.role = known.value
        user.language = language
        user.save(confirmation_mails(user))
    mail_sender().notify()
    log_added(user, actor)
    return user


def add_without_password(user: User, *, actor: Actor = LOCAL) -> None:
    """Store a user of `checked_user`, who has no password and no code.

    The user cannot sign in before an admin issues a reset code. Raise
    `DuplicateEmail`, or `Throttled` after too many of these.
    """
    with limit_email_probes(user.email or "", actor):
        user.save()
    log_added(user, actor)


def log_added(user: User, actor: Actor) -> None:
    """Log that `user` was added, and the role unless it is the usual one."""
    log(EventType.USER_ADDED, user=user.id, by=actor.id)
    if user.role != Role.MEMBER:
        log(
            EventType.ROLE_CHANGED,
            user=user.id,
            by=actor.id,
            reason=user.role,
        )


def new_user(
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    strict: bool = False,
) -> User:
    """Return a checked user that is not stored yet; raise as `register`.

    With `strict` a guessable password is refused even if
    `PASSWORD_BLOCKLIST` allows it.
    """
    check_email(email)
    check_new_password(password, email, changing=strict)
    user = checked_user(email, first_name, last_name)
    with hash_queue().turn():
        user.password = password
    return user


def checked_user(
    email: Any,
    first_name: Any = None,
    last_name: Any = None,
    role: Any = Role.MEMBER,
) -> User:
    """Return a user without a password, not stored yet.

    Raise `InvalidValue` with the field that is not allowed.
    """
    check_email(email)
    user = User(email=email)
    set_names(user, {"first_name": first_name, "last_name": last_name})
    user.role = parse_role(role).value
    return user


def set_names(user: User, names: dict[str, Any]) -> None:
    """Set the `first_name` and `last_name` that are in `names`.

    Raise `InvalidValue` for a value that is neither text nor `None`, or
    longer than `MAX_NAME_LENGTH`.
    """
    for field in ("first_name", "last_name"):
        if field in names:
            setattr(user, field, _checked_name(field, names[field]))


def _checked_name(field: str, name: Any) -> str | None:
    """Return a name that may be stored; raise `InvalidValue`."""
    if isinstance(name, str) and len(name) > MAX_NAME_LENGTH:
        raise InvalidValue(
            field,
            f"must have at most {MAX_NAME_LENGTH} characters",
            code="too_long",
        )
    return storable_text(field, name)


class Invitation(NamedTuple):
    """A new user, and the code that is shown once."""

    user: User
    code: ResetCode


def invite(
    email: Any,
    first_name: Any = None,
    last_name: Any = None,
    *,
    role: Any = Role.MEMBER,
    actor: Actor = LOCAL,
    lifetime: timedelta = RESET_CODE_LIFETIME,
) -> Invitation:
    """Store a new user without a password; return it with a code.

    The code is valid for `lifetime`. Raise `InvalidValue` with the field,
    `DuplicateEmail`, or `Throttled` after too many of these.
    """
    user = checked_user(email, first_name, last_name, role)
    with limit_email_probes(email, actor):
        code = store_with_code(user, actor=actor, lifetime=lifetime)
    log_added(user, actor)
    log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return Invitation(user, code)


def change(
    user: User, values: Mapping[str, Any], *, actor: Actor = LOCAL
) -> None:
    """Store a new email, names or role of `user`, all or none of them.

    `values` has any of `email`, `first_name`, `last_name` and `role`.
    Raise `InvalidValue`, `DuplicateEmail`, `LastAdmin`, `RecordGone`, or
    `Throttled` after too many emails.
    """
    email, role = user.email, user.role
    set_names(user, dict(values))
    if "role" in values:
        user.role = parse_role(values["role"]).value
    if "email" in values:
        check_email(values["email"])
        user.email = values["email"]
        with limit_email_probes(values["email"], actor, every=True):
            user_status.save_changes(user)
    else:
        user_status.save_changes(user)
    if user.email != email:
        log(EventType.EMAIL_CHANGED, user=user.id, by=actor.id)
    if user.role != role:
        log(
            EventType.ROLE_CHANGED,
            user=user.id,
            by=actor.id,
            reason=user.role,
        )


def set_role(user: User, role: Any, *, actor: Actor = LOCAL) -> None:
    """Give `user` the role with this name.

    Raise `InvalidValue` if there is no such role, `LastAdmin` if no admin
    would be left, `RecordGone` if the user was deleted.
    """
    known = parse_role(role)
    told = notices(MailKind.ROLE_CHANGED, user, role=known.value)
    user_status.set_role(user.id, known, told)
    user.role = known.value
    log(EventType.ROLE_CHANGED, user=user.id, by=actor.id, reason=known.value)


def disable(
    user: User, store: SessionStore | None = None, *, actor: Actor = LOCAL
) -> None:
    """Disable `user` and end their sessions, those of `store` too.

    Raise `LastAdmin` or `RecordGone`.
    """
    user_status.disable(user.id, clock.now(), EndReason.USER_DISABLED)
    log(EventType.USER_DISABLED, user=user.id, by=actor.id)
    end_in_memory(store, user.id, EndReason.USER_DISABLED)


def enable(
    user: User, store: SessionStore | None = None, *, actor: Actor = LOCAL
) -> None:
    """Allow `user` to log in again; raise `RecordGone`."""
    # A login that was in progress when the user was disabled may have left
    # a session.
    end_in_memory(store, user.id, EndReason.USER_DISABLED)
    user_status.enable(user.id, EndReason.USER_DISABLED)
    log(EventType.USER_ENABLED, user=user.id, by=actor.id)


def remove(
    user: User, store: SessionStore | None = None, *, actor: Actor = LOCAL
) -> None:
    """Delete `user`, their sessions and their reset code.

    Sessions in the database are deleted in the same transaction, those of
    `store` after it. Raise `LastAdmin` if no admin would be left.
    """
    user_status.remove(user)
    log(EventType.USER_REMOVED, user=user.id, by=actor.id)
    end_in_memory(store, user.id, EndReason.USER_REMOVED)

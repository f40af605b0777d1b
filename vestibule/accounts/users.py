#!/usr/bin/env python3
"""Add, invite, disable, enable and remove users, and set their role.

The model layer accepts what scripts give; values from HTTP or the command
line are checked here first. An invited user has no password until they set
one with a code: an admin never learns or chooses it (OWASP ASVS 5.0, 6.4.6).
A disabled user has no session and cannot start one. Sessions in the
database end in the transaction of the change, those in the memory of this
process after it.

The first admin of an empty database needs a setup code. There is no default
password. The server prints a code when it starts; the code is random, is
stored as a digest, works once and for half an hour, and only as long as
there is no user. Guesses are throttled like passwords (6.3.2 and 6.4.1).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
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
from vestibule.accounts.throttle import (
    guess_code,
    limit_email_probes,
    log_refusal,
)
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.crypto import digest_of_code, new_code
from vestibule.core.errors import InvalidValue, WrongSetupCode
from vestibule.db import codes, user_status
from vestibule.db.models.base import storable_text
from vestibule.db.models.user import Role, User, parse_role
from vestibule.mail.notices import MailKind, notices
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

#: Characters of a first or last name. Scripts that use the models are not
#: limited.
MAX_NAME_LENGTH = 200

#: How long a code may be used.
SETUP_CODE_LIFETIME = timedelta(minutes=30)
# 80 random bits: a person types it from a terminal within minutes.
_GROUPS = 4
# No email contains a space, so no account shares this counter.
_ACCOUNT = "first run"


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


class SetupCode(NamedTuple):
    """A code as it is printed, and when it expires."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Leave the code out."""
        return f"SetupCode(expires_at={self.expires_at})"


def needs_first_admin() -> bool:
    """Return True if there is no user yet."""
    return not codes.has_users()


def has_setup_code() -> bool:
    """Return True if a printed code is still valid."""
    return codes.has_setup_code(clock.now() - SETUP_CODE_LIFETIME)


def create_setup_code() -> SetupCode | None:
    """Return a new code, or `None` if there is a user.

    Codes of other servers on the same database stay valid.
    """
    if not needs_first_admin():
        return None
    code, now = new_code(_GROUPS), clock.now()
    codes.add_setup_code(digest_of_code(code), now, now - SETUP_CODE_LIFETIME)
    return SetupCode(code, now + SETUP_CODE_LIFETIME)


def create_first_admin(
    code: str,
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    *,
    actor: Actor,
) -> User:
    """Store and return the first user, an admin.

    Raise `WrongCode` for a code that is wrong, too old or used up, and if
    there is a user; `Throttled` after too many guesses; `InvalidValue`
    with the field that is not allowed, which leaves the code valid.
    """
    digest = digest_of_code(code)
    _check_guess(digest, actor)
    # Hash only after the code was checked, so that a guess costs no hash.
    admin = new_user(email, password, first_name, last_name, strict=True)
    admin.role = Role.ADMIN.value
    if not codes.redeem_setup_code(
        digest, clock.now() - SETUP_CODE_LIFETIME, admin
    ):
        raise log_refusal(WrongSetupCode())
    log(EventType.USER_ADDED, user=admin.id, reason="first_run")
    return admin


def _check_guess(digest: str, actor: Actor) -> None:
    """Raise `WrongCode` unless a code has this digest; count the failure.

    Raise `Throttled` after too many failures.
    """

    def is_right() -> bool | None:
        """Return True for a valid code, else `None`."""
        since = clock.now() - SETUP_CODE_LIFETIME
        is_valid = codes.is_setup_code(digest, since)
        return (needs_first_admin() and is_valid) or None

    guess_code(WrongSetupCode, _ACCOUNT, actor, is_right)

#!/usr/bin/env python3
"""How an account is made and named by a client: what is allowed in.

Its law: the model layer takes what scripts give; what comes over HTTP or
the command line passes here first.

How an admin adds somebody, who then chooses the password.

Its law: an admin never learns or chooses a password (OWASP ASVS 5.0,
6.4.6). The new account has none until its owner sets it by a code.

How a user becomes an admin, or a member again.

How a user is kept out without losing the account.

Its law: who is disabled has no session and begins none. Sessions end in
the database with the change itself, and in the memory of this process
after it.

How an account ends.
"""

from typing import Any, NamedTuple

from vestibule.accounts.authentication import hash_queue
from vestibule.accounts.credentials import check_email
from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.password_reset import ResetCode, store_with_code
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.revocation import end_in_memory
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.db import user_status
from vestibule.db.models.base import storable_text
from vestibule.db.models.user import User, parse_role
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore


def register(
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    *,
    actor: Actor = LOCAL,
) -> User:
    """Store and return a new user.

    `by` is who adds somebody else, for the log. Raise `InvalidValue`
    naming the field that cannot be taken, `DuplicateEmail`, or `Busy` when
    too many passwords are being hashed.
    """
    user = new_user(email, password, first_name, last_name)
    user.save()
    log(EventType.USER_ADDED, user=user.id, by=actor.id)
    return user


def new_user(
    email: Any,
    password: Any,
    first_name: Any = None,
    last_name: Any = None,
    strict: bool = False,
) -> User:
    """Return a user who may be stored, as `register` does.

    `strict` refuses a guessable password whatever `PASSWORD_BLOCKLIST`
    says.
    """
    check_email(email)
    check_new_password(password, email, changing=strict)
    user = User(email=email)
    set_names(user, {"first_name": first_name, "last_name": last_name})
    with hash_queue().turn():
        user.password = password
    return user


def set_names(user: User, names: dict[str, Any]) -> None:
    """Set the `first_name` and `last_name` that are in `names`.

    Raise `InvalidValue` for one that is neither text nor `None`.
    """
    for field in ("first_name", "last_name"):
        if field in names:
            setattr(user, field, storable_text(field, names[field]))


class Invitation(NamedTuple):
    """A new user, and the code that is shown once."""

    user: User
    code: ResetCode


def invite(
    email: Any,
    first_name: Any = None,
    last_name: Any = None,
    *,
    actor: Actor = LOCAL,
) -> Invitation:
    """Store a new user without a password; return it with a code.

    `by` is who does it, for the log. Raise `InvalidValue` naming the
    field, or `DuplicateEmail`.
    """
    check_email(email)
    user = User(email=email)
    set_names(user, {"first_name": first_name, "last_name": last_name})
    code = store_with_code(user)
    log(EventType.USER_ADDED, user=user.id, by=actor.id)
    log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return Invitation(user, code)


def set_role(user: User, role: Any, *, actor: Actor = LOCAL) -> None:
    """Give `user` the role of this name; `by` is who does it, for the log.

    Raise `InvalidValue` if there is no such role, `LastAdmin` if nobody
    would be left to manage the others, `NotStored` if the user is gone.
    """
    known = parse_role(role)
    user_status.set_role(user.id, known)
    user.role = known.value
    log(EventType.ROLE_CHANGED, user=user.id, by=actor.id, reason=known.value)


def disable(
    user: User, store: SessionStore | None = None, *, actor: Actor = LOCAL
) -> None:
    """Keep `user` out from now on, and end the sessions, also of `store`.

    `by` is who does it, for the log. Raise `LastAdmin` or `NotStored`.
    """
    user_status.disable(user.id, clock.now(), EndReason.USER_DISABLED)
    log(EventType.USER_DISABLED, user=user.id, by=actor.id)
    end_in_memory(store, user.id, EndReason.USER_DISABLED)


def enable(
    user: User, store: SessionStore | None = None, *, actor: Actor = LOCAL
) -> None:
    """Let `user` in again, by a new login; raise `NotStored`.

    `by` is who does it, for the log.
    """
    # A login under way while the user was disabled may have left one.
    end_in_memory(store, user.id, EndReason.USER_DISABLED)
    user_status.enable(user.id, EndReason.USER_DISABLED)
    log(EventType.USER_ENABLED, user=user.id, by=actor.id)


def remove(
    user: User, store: SessionStore | None = None, *, actor: Actor = LOCAL
) -> None:
    """Delete `user` with all that belongs to it, and its sessions.

    Those of the database go in the same transaction, those of `store`
    after it. `by` is who does it, for the log. Raise `LastAdmin` if
    nobody would be left to manage the others.
    """
    user_status.remove(user)
    log(EventType.USER_REMOVED, user=user.id, by=actor.id)
    end_in_memory(store, user.id, EndReason.USER_REMOVED)

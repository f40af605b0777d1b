#!/usr/bin/env python3
"""Reset a forgotten password with a code that an admin hands out.

The admin never learns or chooses a password (OWASP ASVS 5.0, 6.4.6). A code
is random, is stored as a digest, works once and for an hour, and the next
code for the same user replaces it (6.4.1, 6.4.3)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from vestibule.accounts.credentials import new_password_hash
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.revocation import end_in_memory
from vestibule.accounts.throttle import guess_code, log_refusal
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.digest import digest_of_code, new_code
from vestibule.core.errors import WrongResetCode
from vestibule.core.text import email_key
from vestibule.db import codes
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

#: How long a code may be used.
RESET_CODE_LIFETIME = timedelta(hours=1)
# 140 random bits.
_GROUPS = 7


class ResetCode(NamedTuple):
    """A code as it is shown, and when it expires."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Leave the code out."""
        return f"ResetCode(expires_at={self.expires_at})"


def issue_code(user: User, *, actor: Actor = LOCAL) -> ResetCode:
    """Return a new code for `user`; an earlier one stops working."""
    issued = _create_code(partial(codes.replace_reset_code, user.id))
    log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return issued


def store_with_code(user: User) -> ResetCode:
    """Store a new user and return its code; raise `DuplicateEmail`."""
    return _create_code(partial(codes.add_user_with_reset_code, user))


def set_forgotten_password(
    email: str,
    code: str,
    new_password: Any,
    store: SessionStore | None = None,
    *,
    actor: Actor,
) -> None:
    """Set the password of the user with this email and code.

    All sessions of the user end, those of `store` too. Raise `WrongCode`
    if the email or the code is wrong; `InvalidValue` for a password that
    is not allowed, which leaves the code valid; `Throttled` after too many
    guesses.
    """
    digest = digest_of_code(code)
    user = _check_guess(email, digest, actor)
    # The password is hashed after the code was checked, so that a guess
    # costs no hash, and before the code is used up, because a refused
    # password must leave the code valid.
    hashed = new_password_hash(user, new_password)
    if not codes.redeem_reset_code(
        user.id, digest, hashed, clock.now(), EndReason.PASSWORD_RESET
    ):
        raise log_refusal(WrongResetCode())
    log(EventType.PASSWORD_RESET, user=user.id)
    end_in_memory(store, user.id, EndReason.PASSWORD_RESET)


def _create_code(store: Callable[[str, datetime], None]) -> ResetCode:
    """Return a new code after `store` got its digest and creation time."""
    code, now = new_code(_GROUPS), clock.now()
    store(digest_of_code(code), now)
    return ResetCode(code, now + RESET_CODE_LIFETIME)


def _check_guess(email: str, digest: str, actor: Actor) -> User:
    """Return the user with this email and code; count a failure.

    Raise `WrongCode`, or `Throttled` after too many failures. Wrong codes
    do not count as failed logins of the account: a user who lost the code
    may still remember the password.
    """
    key = email_key(email)

    def find() -> User | None:
        """Return the user with this email and code."""
        if not is_storable(key):
            return None
        since = clock.now() - RESET_CODE_LIFETIME
        return User.get(codes.user_id_for_reset_code(key, digest, since))

    return guess_code(WrongResetCode, f"reset {key}", actor, find)

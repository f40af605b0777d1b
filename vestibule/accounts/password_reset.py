#!/usr/bin/env python3
"""How somebody who forgot the password gets to set a new one.

Its law: an admin hands out a code and never learns or chooses a password
(OWASP ASVS 5.0, 6.4.6). A code is random, is kept as a digest, opens one
account once within an hour, and the next code kills it (6.4.1, 6.4.3).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from vestibule.accounts.credentials import new_password_hash
from vestibule.accounts.one_time_code import digest_of_code, new_code
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.revocation import end_in_memory
from vestibule.accounts.throttle import throttle
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.errors import WrongCode
from vestibule.db import reset_codes
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User, email_key
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

#: How long a code may be used.
RESET_CODE_LIFETIME = timedelta(hours=1)
# 140 random bits.
_GROUPS = 7


class ResetCode(NamedTuple):
    """A code in the form in which it is told, and until when it works."""

    code: str
    expires_at: datetime


def issue_code(user: User, *, actor: Actor = LOCAL) -> ResetCode:
    """Return a new code for `user`; the one before is dead.

    `by` is who hands it out, for the log.
    """
    issued = _kept_by(partial(reset_codes.replace, user.id))
    log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return issued


def store_with_code(user: User) -> ResetCode:
    """Store a new user and return its code; raise `DuplicateEmail`."""
    return _kept_by(partial(reset_codes.add_user_with_code, user))


def set_forgotten_password(
    email: str,
    code: str,
    new_password: Any,
    store: SessionStore | None = None,
    *,
    actor: Actor,
) -> None:
    """Set the password of the user with this email and code.

    All the user's sessions end, those of `store` too. Raise `WrongCode`
    for all that is wrong with the email or the code; `InvalidValue`
    for a password that cannot be taken, which leaves the code as it is;
    `Throttled` after too many guesses.
    """
    digest = digest_of_code(code)
    user = _guessed(email, digest, actor)
    # Only now, so that guesses cost no hash; and before the code is used
    # up, which a password that cannot be taken must not do.
    hashed = new_password_hash(user, new_password)
    if not reset_codes.redeem(
        user.id, digest, hashed, clock.now(), EndReason.PASSWORD_RESET
    ):
        raise WrongCode(code="wrong_reset_code")
    log(EventType.PASSWORD_RESET, user=user.id)
    end_in_memory(store, user.id, EndReason.PASSWORD_RESET)


def _kept_by(keep: Callable[[str, datetime], None]) -> ResetCode:
    """Return a new code, once `keep` has its digest and its moment."""
    code, now = new_code(_GROUPS), clock.now()
    keep(digest_of_code(code), now)
    return ResetCode(code, now + RESET_CODE_LIFETIME)


def _guessed(email: str, digest: str, actor: Actor) -> User:
    """Return the user with this email and code; count wrong ones.

    Raise `WrongCode`, or `Throttled` when there were too many of these.
    They do not count as failed logins of the account: somebody who has
    lost the code may have found the password.
    """
    key = email_key(email)
    attempt = throttle().attempt(f"reset {key}", actor)
    attempt.begin()
    found = None
    if is_storable(key):
        since = clock.now() - RESET_CODE_LIFETIME
        found = User.get(reset_codes.user_id_for_code(key, digest, since))
    if found is None:
        attempt.fail()
        raise WrongCode(code="wrong_reset_code")
    attempt.succeed()
    return found

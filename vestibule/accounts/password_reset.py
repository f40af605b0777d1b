#!/usr/bin/env python3
"""Set a password with a code that an admin hands out, mostly as a link.

The admin never learns or chooses a password (OWASP ASVS 5.0, 6.4.6). A code
is random, is stored as a digest, works once and until it expires, and the
next code for the same user replaces it (6.4.1, 6.4.3). A code to reset a
password lives for an hour, an invitation for as long as the admin chooses.

A link has the email and the code in its fragment, which browsers send to
no server: neither a log nor a `Referer` header has the code."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from vestibule.accounts.credentials import new_password_hash
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.revocation import end_in_memory
from vestibule.accounts.throttle import guess_code, log_refusal
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.digest import digest_of_code, new_code
from vestibule.core.errors import InvalidValue, WrongResetCode
from vestibule.core.text import email_key
from vestibule.db import codes, invitations
from vestibule.db.codes import NewCode
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

#: How long a code may be used, unless an invitation has another lifetime.
RESET_CODE_LIFETIME = timedelta(hours=1)
#: Hours for which an invitation is valid at most: a week.
MAX_INVITATION_HOURS = 168
#: The pages that take a code; scripts fill the form from the fragment.
RESET_PATH, INVITATION_PATH = "/reset", "/account/invitation"
# 140 random bits.
_GROUPS = 7


class ResetCode(NamedTuple):
    """A code as it is shown, and when it expires."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Leave the code out."""
        return f"ResetCode(expires_at={self.expires_at})"


def issue_code(
    user: User,
    *,
    actor: Actor = LOCAL,
    lifetime: timedelta = RESET_CODE_LIFETIME,
) -> ResetCode:
    """Return a new code for `user`; an earlier one stops working."""
    issued = _create_code(
        partial(codes.replace_reset_code, user.id), actor, lifetime
    )
    log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return issued


def store_with_code(
    user: User, *, actor: Actor, lifetime: timedelta
) -> ResetCode:
    """Store a new user and return its code; raise `DuplicateEmail`."""
    return _create_code(
        partial(codes.add_user_with_reset_code, user), actor, lifetime
    )


def parse_invitation_lifetime(hours: Any) -> timedelta:
    """Return the lifetime of an invitation of so many hours.

    `None` is that of a reset code. Raise `InvalidValue` for what is no
    whole number from 1 to `MAX_INVITATION_HOURS`.
    """
    if hours is None:
        return RESET_CODE_LIFETIME
    if type(hours) is not int or not 1 <= hours <= MAX_INVITATION_HOURS:
        raise InvalidValue(
            "valid_hours",
            f"must be a number from 1 to {MAX_INVITATION_HOURS}",
            code="invalid",
        )
    return timedelta(hours=hours)


def link_path(user: User, code: str) -> str | None:
    """Return the path of the page where `user` sets a password by a code.

    Its fragment has the email and the code. It is the page of invitations
    for a user who never had a password, else that of resets. Return `None`
    for a user without an email, for whom no code works.
    """
    if not user.email:
        return None
    path = INVITATION_PATH if invitations.is_invited(user) else RESET_PATH
    return f"{path}#{urlencode({'email': user.email, 'code': code})}"


def revoke_invitation(user_id: str, *, actor: Actor = LOCAL) -> bool:
    """End the open invitation of a user; return True if there was one.

    The user stays, without a password.
    """
    if not invitations.delete_invitation(user_id, clock.now()):
        return False
    log(EventType.INVITATION_REVOKED, user=user_id, by=actor.id)
    return True


def set_forgotten_password(
    email: str,
    code: str,
    new_password: Any,
    store: SessionStore | None = None,
    *,
    actor: Actor,
) -> User:
    """Set the password of the user with this email and code.

    All sessions of the user end, those of `store` too. Return the user, for
    whom a session may begin. Raise `WrongCode`
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
    user.set_hash(hashed)
    return user


def _create_code(
    store: Callable[[NewCode], None], actor: Actor, lifetime: timedelta
) -> ResetCode:
    """Return a new code after `store` got its digest and its times."""
    code, now = new_code(_GROUPS), clock.now()
    store(NewCode(digest_of_code(code), now, now + lifetime, actor.id))
    return ResetCode(code, now + lifetime)


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
        found = codes.user_id_for_reset_code(key, digest, clock.now())
        return User.get(found)

    return guess_code(WrongResetCode, f"reset {key}", actor, find)

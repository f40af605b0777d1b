#!/usr/bin/env python3
"""Create the first admin of an empty database with a setup code.

There is no default password. The server prints a code when it starts; the
code is random, is stored as a digest, works once and for half an hour, and
only as long as there is no user. Guesses are throttled like passwords
(OWASP ASVS 5.0, 6.3.2 and 6.4.1)."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from vestibule.accounts.permissions import Actor
from vestibule.accounts.throttle import guess_code, log_refusal
from vestibule.accounts.users import new_user
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.crypto import digest_of_code, new_code
from vestibule.core.errors import WrongSetupCode
from vestibule.db import codes
from vestibule.db.models.user import Role, User

#: How long a code may be used.
SETUP_CODE_LIFETIME = timedelta(minutes=30)
# 80 random bits: a person types it from a terminal within minutes.
_GROUPS = 4
# No email contains a space, so no account shares this counter.
_ACCOUNT = "first run"


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

#!/usr/bin/env python3
"""How the first admin of an empty database is made.

Its law: there is no default password. Whoever starts the server reads a
code where it prints; it is random, is kept as a digest, works once and
for half an hour, and for nobody once there is a user. Guesses at it are
throttled as passwords are (OWASP ASVS 5.0, 6.3.2 and 6.4.1).
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from vestibule.accounts.one_time_code import digest_of_code, new_code
from vestibule.accounts.permissions import Actor
from vestibule.accounts.throttle import throttle
from vestibule.accounts.users import new_user
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.errors import WrongCode
from vestibule.db import setup_codes
from vestibule.db.models.user import Role, User

#: How long a code may be used.
SETUP_CODE_LIFETIME = timedelta(minutes=30)
# 80 random bits: it is typed from a terminal, and lives for minutes.
_GROUPS = 4
# No email has a blank in it, so this is the counter of nobody's account.
_ACCOUNT = "first run"


class SetupCode(NamedTuple):
    """A code in the form in which it is printed, and until when it works."""

    code: str
    expires_at: datetime


def needs_first_admin() -> bool:
    """Tell whether there is no user yet."""
    return not setup_codes.has_users()


def has_setup_code() -> bool:
    """Tell whether a code was printed that may still be used."""
    return setup_codes.has_valid_code(clock.now() - SETUP_CODE_LIFETIME)


def create_setup_code() -> SetupCode | None:
    """Return a new code, if there is no user yet.

    Codes of other servers that start on the same database go on working.
    """
    if not needs_first_admin():
        return None
    code, now = new_code(_GROUPS), clock.now()
    setup_codes.add(digest_of_code(code), now, now - SETUP_CODE_LIFETIME)
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
    naming the field that cannot be taken, which leaves the code as it is.
    """
    digest = digest_of_code(code)
    _check_guess(digest, actor)
    # Only now, so that guesses cost no hash.
    admin = new_user(email, password, first_name, last_name, strict=True)
    admin.role = Role.ADMIN.value
    if not setup_codes.redeem(
        digest, clock.now() - SETUP_CODE_LIFETIME, admin
    ):
        raise WrongCode(code="wrong_setup_code")
    log(EventType.USER_ADDED, user=admin.id, reason="first_run")
    return admin


def _check_guess(digest: str, actor: Actor) -> None:
    """Raise `WrongCode` unless a code has this digest; count wrong ones.

    Raise `Throttled` when there were too many of these.
    """
    attempt = throttle().attempt(_ACCOUNT, actor)
    attempt.begin()
    if not (
        needs_first_admin()
        and setup_codes.is_valid_code(
            digest, clock.now() - SETUP_CODE_LIFETIME
        )
    ):
        attempt.fail()
        raise WrongCode(code="wrong_setup_code")
    attempt.succeed()

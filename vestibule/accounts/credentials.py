#!/usr/bin/env python3
"""Whether an email and a password belong together: the one place.

Its law: one hash is computed for every attempt, whether the user exists
or not (OWASP ASVS 5.0, 6.3.8), and never outside of its turn.
"""

import logging
from collections.abc import Sequence

from models.user import User, email_key
from vestibule import passwords
from vestibule.accounts.disabling import is_disabled
from vestibule.accounts.hash_queue import hash_queue
from vestibule.errors import Throttled, VestibuleError
from vestibule.observe.security import Event, log
from vestibule.sessions.origin import current_origin
from vestibule.throttle import throttle

_log = logging.getLogger(__name__)


def check_credentials(
    found: Sequence[User], email: str, password: str
) -> User | None:
    """Return the user among those `found` by email, if `password` is right.

    `None` too for a user who is disabled. A stored hash that is not of
    today's kind is renewed on the way. Raise `Throttled` when too many
    attempts failed, with emails of nobody as well, and `Busy` when too
    many passwords are being checked.
    """
    attempt = throttle().attempt(email_key(email), current_origin().ip)
    known = found[0].id if found else None
    try:
        # Who has to wait takes no place in the queue.
        attempt.check()
        with hash_queue().turn():
            attempt.begin()
            user = _owner(found, password)
            if user is None:
                attempt.fail()
            else:
                attempt.succeed()
    except Throttled as error:
        log(Event.THROTTLED, user=known, retry_after=error.retry_after)
        raise
    if user is None:
        why = "wrong_password" if found else "unknown_email"
        log(Event.LOGIN_FAILED, user=known, reason=why)
    return user


def still_holds(user: User) -> bool:
    """Tell whether what was checked for `user` still is so.

    Between the check of a password and the beginning of a session the
    password may be changed, or the user disabled or removed, and then all
    sessions end: but for the one that begins just after. Whoever begins
    one asks here afterwards; one of the two sees the other's work.
    """
    stored = User.settled(user.id)
    return (
        stored is not None
        and stored.password == user.password
        and not is_disabled(stored)
    )


def _owner(found: Sequence[User], password: str) -> User | None:
    """Return the one user `found`, if `password` is right; hash once."""
    if not found:
        passwords.verify(None, password)
        return None
    user = found[0]
    # Who is disabled is told what a wrong password would be told.
    if not user.is_valid_password(password) or is_disabled(user):
        return None
    try:
        user.renew_hash(password)
    except VestibuleError as error:
        # The password is right: a full disk must not keep its owner from
        # being told so.
        _log.warning("a password hash was not renewed: %s", error)
    return user

#!/usr/bin/env python3
"""Check an email and a password: the throttle, the hash queue, one hash.

Every attempt computes one hash, whether the user exists or not (OWASP ASVS
5.0, 6.3.8), and computes it only with a turn of the hash queue. The hashes
in progress and those waiting take at most half of the server's threads, so
that a storm of logins leaves the others free to answer. Further attempts
are refused at once, with the time after which to try again."""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vestibule.accounts.permissions import Actor, is_disabled
from vestibule.accounts.throttle import throttle
from vestibule.audit.log import EventType, log
from vestibule.core import passwords, settings
from vestibule.core.errors import ServiceBusy, Throttled, VestibuleError
from vestibule.core.passwords import usable_cores
from vestibule.core.text import email_key
from vestibule.core.threads import Once
from vestibule.db.models.user import User

#: Seconds after which a refused login should be tried again.
RETRY_AFTER_SECONDS = 1


class HashQueue:
    """Let a few threads hash at once and a few wait; refuse the rest."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """Let `at_once` threads hash while at most `waiting` wait."""
        self._places = threading.BoundedSemaphore(at_once + waiting)
        self._turns = threading.BoundedSemaphore(at_once)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn; raise `ServiceBusy` if the queue is full."""
        if not self._places.acquire(blocking=False):
            raise ServiceBusy(
                "too many passwords to check at once", RETRY_AFTER_SECONDS
            )
        try:
            with self._turns:
                yield
        finally:
            self._places.release()


@Once
def hash_queue() -> HashQueue:
    """Return this process's queue, with as many turns as it has cores."""
    half = settings.BLOCKING_THREADS.read() // 2
    cores = usable_cores() // settings.WORKERS.read()
    at_once = max(1, min(cores, half))
    return HashQueue(at_once, half - at_once)


# A forked child does not have the threads that hold places in the queue.
os.register_at_fork(after_in_child=hash_queue.cache_clear)


_log = logging.getLogger(__name__)


def check_credentials(
    found: Sequence[User], email: str, password: str, *, actor: Actor
) -> User | None:
    """Return the user `found` by `email`, if `password` is right.

    Return `None` also for a disabled user. A stored hash that was made
    with other parameters than today's is renewed. Raise `Throttled` when
    too many attempts failed, for unknown emails too, and `ServiceBusy`
    when too many passwords are being checked.
    """
    attempt = throttle().attempt(email_key(email), actor)
    known = found[0].id if found else None
    try:
        # A throttled client must not take a place in the queue.
        attempt.check()
        with hash_queue().turn():
            attempt.begin()
            user = _owner(found, password)
            if user is None:
                attempt.fail()
            else:
                attempt.succeed()
    except Throttled as error:
        log(EventType.THROTTLED, user=known, retry_after=error.retry_after)
        raise
    if user is None:
        why = "wrong_password" if found else "unknown_email"
        log(EventType.LOGIN_FAILED, user=known, reason=why)
    return user


def is_still_valid(user: User) -> bool:
    """Return True if the password of `user` is unchanged and usable.

    Between the check of a password and the start of a session the password
    may be changed, or the user disabled or removed. That ends all sessions
    but not one that starts just after. So a login starts the session first
    and calls this next: either the change ends the session, or this finds
    the change.
    """
    stored = User.get_committed(user.id)
    return (
        stored is not None
        and stored.password == user.password
        and not is_disabled(stored)
    )


def _owner(found: Sequence[User], password: str) -> User | None:
    """Return the user `found`, if `password` is right; hash once."""
    if passwords.is_too_long(password):
        # No password over HTTP is that long; the attempt costs a hash too.
        found, password = (), ""
    if not found:
        passwords.verify(None, password)
        return None
    user = found[0]
    # A disabled user gets the same answer as for a wrong password.
    if not user.is_valid_password(password) or is_disabled(user):
        return None
    try:
        user.rehash_if_outdated(password)
    except VestibuleError as error:
        # The password is right: a full disk must not prevent the login.
        _log.warning("a password hash was not renewed: %s", error)
    return user

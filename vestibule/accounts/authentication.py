#!/usr/bin/env python3
"""Check an email and a password, and tell users of sign-ins by mail.

Every attempt computes one hash, whether the user exists or not (OWASP ASVS
5.0, 6.3.8), and computes it only with a turn of the hash queue. The hashes
in progress and those waiting take at most half of the server's threads, so
that a storm of logins leaves the others free to answer. Further attempts
are refused at once, with the time after which to try again.

A browser that signs in gets a random secret in a cookie. A sign-in without
the cookie is one with a new device, which the user may not have made;
nothing about the browser is measured. A mail also tells of wrong passwords
before a right one (6.3.5).
"""

import logging
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from vestibule.accounts.permissions import Actor, is_disabled
from vestibule.accounts.throttle import failures_for_user, throttle
from vestibule.audit.log import EventType, log
from vestibule.core import clock, passwords, settings
from vestibule.core.crypto import digest_of
from vestibule.core.errors import ServiceBusy, Throttled, VestibuleError
from vestibule.core.passwords import usable_cores
from vestibule.core.text import email_key
from vestibule.core.threads import Once
from vestibule.db import browsers, outgoing_mails, user_status
from vestibule.db.models.user import User
from vestibule.mail.notices import MailKind, is_mail_on, notices
from vestibule.mail.outbox import mail_sender

#: Seconds after which a refused login should be tried again.
RETRY_AFTER_SECONDS = 1
#: The cookie of a known browser, and how long it is kept. Browsers keep no
#: cookie for longer than 400 days.
DEVICE_COOKIE = "vestibule_device"
DEVICE_LIFETIME = timedelta(days=400)
#: Bytes of the cookie's random value.
DEVICE_BYTES = 16
#: Wrong passwords before a right one that are worth a mail.
MIN_FAILURES = 5
#: The time in which a user gets at most one notice of a new device.
NOTICE_INTERVAL = timedelta(minutes=15)


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
            owner = _owner(found, password)
            # A disabled user gets the same answer as for a wrong password.
            user = None if owner is None or is_disabled(owner) else owner
            if user is None:
                attempt.fail()
            else:
                attempt.succeed()
    except Throttled as error:
        log(EventType.THROTTLED, user=known, retry_after=error.retry_after)
        raise
    if owner is not None and user is None:
        log(EventType.LOGIN_DISABLED, user=known)
    elif user is None:
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
    """Return the user `found`, if `password` is right; hash once.

    A disabled user is returned too.
    """
    if passwords.is_too_long(password):
        # No password over HTTP is that long; the attempt costs a hash too.
        found, password = (), ""
    if not found:
        passwords.verify(None, password)
        return None
    user = found[0]
    if not user.is_valid_password(password):
        return None
    if is_disabled(user):
        return user
    try:
        user.rehash_if_outdated(password)
    except VestibuleError as error:
        # The password is right: a full disk must not prevent the login.
        _log.warning("a password hash was not renewed: %s", error)
    return user


def count_failures_before(found: Sequence[User]) -> int:
    """Return the wrong passwords of the user `found`, if mail is sent.

    A right password resets them, so they are read before the check.
    """
    if not found or not is_mail_on():
        return 0
    return failures_for_user(found[0]).number


def notify_of_failures(user: User, failures: int) -> None:
    """Queue a notice if a right password came after many wrong ones."""
    if failures >= MIN_FAILURES:
        _queue(MailKind.FAILED_SIGN_INS, user, count=failures)


def notify_of_sign_in(
    user: User, device: str | None, language: str | None
) -> str | None:
    """Queue what a sign-in is told of; return a cookie for a new device.

    `device` is the value of the browser's cookie, if it has one. The first
    sign-in of all is not told. The user's mails are in `language` from now
    on, if the browser names one.
    """
    now = clock.now()
    if language is not None and language != user.language:
        user.language = language
        user_status.set_language(user.id, language)
    digest = None if device is None else digest_of(device)
    if digest is not None and browsers.was_seen(user.id, digest, now):
        return None
    # A value that this service did not issue for the user is replaced.
    issued = secrets.token_urlsafe(DEVICE_BYTES)
    is_first = browsers.remember(
        user.id, digest_of(issued), now, now - DEVICE_LIFETIME
    )
    if (
        not is_first
        and user.device_notices
        and not any(
            outgoing_mails.has_mail_since(user.id, kind, now - NOTICE_INTERVAL)
            for kind in (MailKind.NEW_DEVICE, MailKind.FAILED_SIGN_INS)
        )
    ):
        _queue(MailKind.NEW_DEVICE, user)
    return issued


def _queue(kind: MailKind, user: User, **detail: int) -> None:
    """Queue a notice to the user, and send it soon."""
    mails = notices(kind, user, **detail)
    if mails:
        outgoing_mails.add(mails)
        mail_sender().notify()

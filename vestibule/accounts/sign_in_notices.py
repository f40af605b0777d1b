#!/usr/bin/env python3
"""Tell users by mail of sign-ins that they may not have made.

A browser that signs in gets a random secret in a cookie. A sign-in without
the cookie is one with a new device; nothing about the browser is measured.
Wrong passwords before a right one are told too (OWASP ASVS 5.0, 6.3.5)."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from vestibule.accounts.throttle import failures_for_user
from vestibule.core import clock
from vestibule.core.digest import digest_of
from vestibule.db import known_devices, outgoing_mails
from vestibule.db.models.user import User
from vestibule.mail.notices import MailKind, is_mail_on, notices
from vestibule.mail.outbox import mail_sender

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
        known_devices.set_language(user.id, language)
    digest = None if device is None else digest_of(device)
    if digest is not None and known_devices.was_seen(user.id, digest, now):
        return None
    # A value that this service did not issue for the user is replaced.
    issued = secrets.token_urlsafe(DEVICE_BYTES)
    is_first = known_devices.add(
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

#!/usr/bin/env python3
"""The kinds of mails, and the notices that tell users of changes.

A notice has no secret. It says what changed, when and from where, and what
to do if it was someone else (OWASP ASVS 5.0, 6.3.5 and 6.3.7). Each change
of an account takes its notices to the database in its own transaction.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from vestibule.core import mail_settings
from vestibule.core.client_info import current_client, device_name
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import NewMail

#: The languages of the mails; the first one is the default.
LANGUAGES = ("en", "fr")
#: For how long a notice is worth sending.
NOTICE_LIFETIME = timedelta(days=3)
#: How long the previous address can take a change of address back.
UNDO_LIFETIME = timedelta(days=7)


class MailKind(StrEnum):
    """What a mail says; also the name of its template."""

    CONFIRM = "confirm"
    CHANGE = "change"
    EMAIL_CHANGED = "email_changed"
    RESET = "reset"
    INVITATION = "invitation"
    PASSWORD_CHANGED = "password_changed"
    ROLE_CHANGED = "role_changed"
    NEW_DEVICE = "new_device"
    FAILED_SIGN_INS = "failed_sign_ins"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTOR_SWITCHED_OFF = "factor_switched_off"
    PASSKEY_REFUSED = "passkey_refused"
    FACTOR_RESET_ISSUED = "factor_reset_issued"
    FACTORS_RESET = "factors_reset"
    RECOVERY_CODE_USED = "recovery_code_used"
    TEST = "test"


#: The page that a notice leads to, if any.
NOTICE_PAGES = {
    MailKind.PASSWORD_CHANGED: "/forgot",
    MailKind.NEW_DEVICE: "/account/sessions",
    MailKind.FAILED_SIGN_INS: "/account/sessions",
    MailKind.FACTOR_ADDED: "/forgot",
    MailKind.FACTOR_REMOVED: "/forgot",
    MailKind.FACTOR_SWITCHED_OFF: "/forgot",
    MailKind.PASSKEY_REFUSED: "/account/factors",
    MailKind.FACTOR_RESET_ISSUED: "/forgot",
    MailKind.FACTORS_RESET: "/forgot",
    MailKind.RECOVERY_CODE_USED: "/forgot",
}


def is_mail_on() -> bool:
    """Return True if this installation sends mail."""
    return mail_settings.MAIL_URL.read() is not None


def email_change_notice(user: User) -> Sequence[NewMail]:
    """Return the mail that tells the present address of its change.

    Its link takes the change back, for `UNDO_LIFETIME`.
    """
    if not is_mail_on() or not user.email:
        return ()
    return (
        NewMail(
            MailKind.EMAIL_CHANGED,
            user.email,
            UNDO_LIFETIME,
            user_id=user.id,
            language=user.language,
        ),
    )


def notices(kind: MailKind, user: User, **detail: Any) -> Sequence[NewMail]:
    """Return the notice of a change to `user`, to be queued with it.

    Empty if no mail is sent, or the user has no address. The notice says
    which device and address the change came from.
    """
    if not is_mail_on() or not user.email:
        return ()
    client = current_client()
    if not client.is_local:
        detail.setdefault("ip", client.ip)
        if client.user_agent:
            detail.setdefault("device", device_name(client.user_agent))
    return (
        NewMail(
            kind,
            user.email,
            NOTICE_LIFETIME,
            user_id=user.id,
            language=user.language,
            detail=detail,
        ),
    )

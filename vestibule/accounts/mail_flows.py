#!/usr/bin/env python3
"""What a user does by mail: reset the password, confirm or change the email.

A mail proves that its reader has the address. Nothing here reveals whether
an address has an account: known and unknown ones cost the same, are counted
by the same limits and get the same response (OWASP ASVS 5.0, 6.3.8). A link
signs in no one and skips no second factor (6.4.3)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from vestibule.accounts.credentials import check_email, new_password_hash
from vestibule.accounts.permissions import LOCAL, Actor, is_disabled
from vestibule.accounts.recovery import list_mailed_invitation
from vestibule.accounts.revocation import end_in_memory
from vestibule.accounts.throttle import guess_code, log_refusal
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.crypto import digest_of, digest_of_code
from vestibule.core.errors import Throttled, WrongLink, WrongResetCode
from vestibule.core.request_headers import network_of
from vestibule.core.setting_types import is_hardened
from vestibule.core.text import email_key
from vestibule.db import mail_tokens, outgoing_mails
from vestibule.db.codes import is_invited
from vestibule.db.mail_tokens import MailToken
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import NOTHING, NewMail
from vestibule.mail.notices import (
    MailKind,
    email_change_notice,
    is_mail_on,
    notices,
)
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.session import EndReason
from vestibule.sessions.store import SessionStore

#: How long the links of mails work.
RESET_LIFETIME = timedelta(minutes=60)
HARDENED_RESET_LIFETIME = timedelta(minutes=30)
CONFIRM_LIFETIME = timedelta(hours=24)
INVITATION_LIFETIME = timedelta(hours=72)
#: The mails that a client asks for. Notices of changes are not limited.
_ASKED_KINDS = (
    MailKind.RESET,
    MailKind.CONFIRM,
    MailKind.CHANGE,
    MailKind.INVITATION,
    NOTHING,
)
#: Mails to one address: at most so many within a time.
ADDRESS_LIMITS = (
    (1, timedelta(minutes=1)),
    (5, timedelta(hours=1)),
    (20, timedelta(days=1)),
)
#: Mails that the clients of one network may ask for within an hour.
MAX_PER_NETWORK = 20
_HOUR = timedelta(hours=1)


def ask_for_reset(
    email: Any,
    *,
    actor: Actor,
    language: str | None = None,
    browser: str | None = None,
) -> None:
    """Queue a mail with a link to a new password, if there is such a user.

    `browser` is the digest of a secret of the browser that asks: only it
    may use the mail's short code. Raise `InvalidValue` for what is not an
    address, and `Throttled` for too many requests from one network.
    """
    check_email(email)
    found = User.search({"email": email})
    user = found[0] if found and not is_disabled(found[0]) else None
    detail = {} if browser is None else {"browser": browser}
    is_queued = _queue(
        MailKind.RESET if user else NOTHING,
        user,
        email,
        _reset_lifetime(),
        actor,
        language,
        detail,
    )
    if is_queued and user is not None:
        log(EventType.RESET_REQUESTED, user=user.id)


def confirmation_mails(user: User) -> Sequence[NewMail]:
    """Return the mail that confirms the email of a user to be stored.

    Empty if no mail is sent, or the address has had too many.
    """
    email = user.email
    if not is_mail_on() or email is None or _has_too_many(email, clock.now()):
        return ()
    return (
        NewMail(
            MailKind.CONFIRM,
            email.strip(),
            CONFIRM_LIFETIME,
            user_id=user.id,
            language=user.language,
        ),
    )


def ask_for_confirmation(
    user: User, *, actor: Actor, language: str | None = None
) -> None:
    """Queue a mail with a link that confirms the user's email.

    Nothing is queued if it is confirmed. Raise `Throttled`.
    """
    if user.email is not None and user.email_verified_at is None:
        _queue(
            MailKind.CONFIRM,
            user,
            user.email,
            CONFIRM_LIFETIME,
            actor,
            language,
        )


def ask_for_change(
    user: User, email: Any, *, actor: Actor, language: str | None = None
) -> None:
    """Queue a mail to a new address, whose link makes it the user's.

    Until then the user keeps the present one. An address that another user
    has gets the mail too, and its link is refused: the response must not
    reveal it. Raise `InvalidValue` or `Throttled`.
    """
    check_email(email)
    new = email.strip()
    _queue(
        MailKind.CHANGE,
        user,
        new,
        CONFIRM_LIFETIME,
        actor,
        language,
        {"new_address": new},
    )


def send_password_mail(user: User, *, actor: Actor = LOCAL) -> bool:
    """Queue a mail with a link to a new password; return True if queued.

    It is an invitation for a user who never had a password, and takes the
    place of earlier ones. Nothing is queued without an address, for a
    disabled user, whose link would not work, and if the address has had too
    many.
    """
    if user.email is None or is_disabled(user):
        return False
    kind, lifetime, now = MailKind.RESET, _reset_lifetime(), clock.now()
    if is_invited(user):
        kind, lifetime = MailKind.INVITATION, INVITATION_LIFETIME
    is_queued = _queue(kind, user, user.email, lifetime, LOCAL, None)
    if is_queued and kind is MailKind.INVITATION:
        list_mailed_invitation(user, now, lifetime, actor)
    if is_queued:
        log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return is_queued


def set_password_by_link(
    token: str, new: Any, store: SessionStore | None = None, *, actor: Actor
) -> User:
    """Set the password of the user whose mail had `token`.

    All sessions of the user end. Raise `WrongLink` for a token that is
    wrong, used or too old; `InvalidValue` for a password that is not
    allowed, which leaves the token valid.
    """
    digest = digest_of(token)
    proof = mail_tokens.find(digest, MailKind.RESET) or mail_tokens.find(
        digest, MailKind.INVITATION
    )
    user = _owner(proof)
    if proof is None or user is None:
        raise log_refusal(WrongLink())
    return _set_password(user, proof, new, store, WrongLink)


def set_password_by_code(
    email: str,
    code: str,
    browser: str,
    new: Any,
    store: SessionStore | None = None,
    *,
    actor: Actor,
) -> User:
    """Set the password by the short code of a mail, in the same browser.

    Raise `WrongResetCode`, `Throttled` after too many guesses, or
    `InvalidValue`.
    """
    key, typed = email_key(email), digest_of_code(code)

    def find() -> tuple[User, MailToken] | None:
        """Return the user with this email, and the token of the code."""
        found = User.search({"email": email}) if is_storable(key) else []
        if not found:
            return None
        proof = mail_tokens.find_by_code(
            found[0].id, MailKind.RESET, typed, browser
        )
        user = _owner(proof)
        return None if proof is None or user is None else (user, proof)

    user, proof = guess_code(WrongResetCode, f"reset {key}", actor, find)
    return _set_password(user, proof, new, store, WrongResetCode)


def confirm(token: str, *, actor: Actor) -> User:
    """Confirm the address that the mail with `token` went to.

    Its user has that address already, or gets it now. Raise `WrongLink`
    for a token that is wrong, used or too old, and `DuplicateEmail` if
    another user has the address by now.
    """
    digest = digest_of(token)
    proof = mail_tokens.find(digest, MailKind.CONFIRM)
    if proof is not None:
        user = _owner(proof)
        if user is None or not mail_tokens.confirm_email(proof):
            raise log_refusal(WrongLink())
        log(EventType.EMAIL_CONFIRMED, user=user.id)
        return user
    proof = mail_tokens.find(digest, MailKind.CHANGE)
    user = None if proof is None else User.get(proof.user_id)
    if proof is None or user is None or is_disabled(user):
        raise log_refusal(WrongLink())
    told = email_change_notice(user)
    if not mail_tokens.change_email(proof, told):
        raise log_refusal(WrongLink())
    log(EventType.EMAIL_CHANGED, user=user.id)
    mail_sender().notify()
    return user


def undo_change(
    token: str, store: SessionStore | None = None, *, actor: Actor
) -> User:
    """Give the user the previous address back; end all sessions.

    A thief who changed it may know the password, so the links in other mails
    stop working too. Raise `WrongLink` or `DuplicateEmail`.
    """
    proof = mail_tokens.find(digest_of(token), MailKind.EMAIL_CHANGED)
    user = None if proof is None else User.get(proof.user_id)
    if proof is None or user is None:
        raise log_refusal(WrongLink())
    reason = EndReason.REVOKED
    if not mail_tokens.change_email(proof, (), end_reason=reason):
        raise log_refusal(WrongLink())
    log(EventType.EMAIL_CHANGED, user=user.id, reason="undone")
    end_in_memory(store, user.id, reason)
    return user


def retry_mail(id: str, *, actor: Actor) -> bool:
    """Send a mail soon that waits or failed; return True if so."""
    mail = outgoing_mails.retry(id)
    if mail is None:
        return False
    log(
        EventType.MAIL_RETRIED,
        user=mail.user_id,
        by=actor.id,
        reason=mail.kind,
    )
    return True


def drop_mail(id: str, *, actor: Actor) -> bool:
    """Never send a queued mail; return True if it was queued."""
    mail = outgoing_mails.drop(id)
    if mail is None:
        return False
    log(
        EventType.MAIL_DROPPED,
        user=mail.user_id,
        by=actor.id,
        reason=mail.kind,
    )
    return True


def _reset_lifetime() -> timedelta:
    """Return how long the link of a mail for a new password works."""
    return HARDENED_RESET_LIFETIME if is_hardened() else RESET_LIFETIME


def _queue(
    kind: str,
    user: User | None,
    address: str,
    lifetime: timedelta,
    actor: Actor,
    language: str | None,
    detail: dict[str, Any] | None = None,
) -> bool:
    """Queue a mail unless the address has had too many; return True if so.

    Too many for an address are dropped without a word, because the sender
    of the request may not be the one who reads it. Raise `Throttled` for
    too many from a network.
    """
    now = clock.now()
    network = None if actor.is_local else network_of(actor.address)
    if (
        network is not None
        and outgoing_mails.count_from_network(network, now - _HOUR)
        >= MAX_PER_NETWORK
    ):
        error = Throttled(int(_HOUR.total_seconds()))
        log(EventType.THROTTLED, user=None if user is None else user.id)
        raise error
    # Requests for an address that has had too many write nothing.
    if _has_too_many(address, now):
        return False
    mail = NewMail(
        kind,
        address.strip(),
        lifetime,
        user_id=None if user is None else user.id,
        language=language or (user.language if user else None),
        network=network,
        detail=detail or {},
    )
    if not outgoing_mails.add_within_limits(
        mail, _ASKED_KINDS, ADDRESS_LIMITS
    ):
        return False
    mail_sender().notify()
    return True


def _has_too_many(address: str, now: datetime) -> bool:
    """Return True if an address has had as many mails as it may."""
    longest = max(window for _, window in ADDRESS_LIMITS)
    moments = outgoing_mails.moments_for_address(
        address, _ASKED_KINDS, now - longest
    )
    return outgoing_mails.is_over(moments, ADDRESS_LIMITS, now)


def _owner(proof: MailToken | None) -> User | None:
    """Return the user who may use a token, or `None`.

    The user must have the address that the mail went to, still.
    """
    user = None if proof is None else User.get(proof.user_id)
    if proof is None or user is None or is_disabled(user):
        return None
    return user if user.email_key == email_key(proof.address) else None


def _set_password(
    user: User,
    proof: MailToken,
    new: Any,
    store: SessionStore | None,
    refusal: Callable[[], Any],
) -> User:
    """Set the password and use the token up."""
    hashed = new_password_hash(user, new)
    told = notices(MailKind.PASSWORD_CHANGED, user)
    reason = EndReason.PASSWORD_RESET
    if not mail_tokens.set_password(proof, hashed, reason, told):
        raise log_refusal(refusal())
    log(EventType.PASSWORD_RESET, user=user.id)
    end_in_memory(store, user.id, reason)
    mail_sender().notify()
    return user

#!/usr/bin/env python3
"""Give access back with a code that an admin hands out, mostly as a link.

One kind of code sets a password: that of an invited user, or of one who
forgot it. The admin never learns or chooses a password (OWASP ASVS 5.0,
6.4.6). A code is random, is stored as a digest, works once and until it
expires, and the next code for the same user replaces it (6.4.1, 6.4.3). A
code to reset a password lives for an hour, an invitation for as long as the
admin chooses.

The other kind removes the second factors of a user who lost the phone and
the recovery codes. The admin makes sure by another way that it is them
(6.4.4). That code works once, within an hour, and only together with the
user's password: neither a thief of the password nor the admin gets in with
one of the two. All sessions end, because the lost phone may have one. The
admin needs a second factor of their own in the session, so that a stolen
password of an admin removes the factors of no user; and cannot do it to
their own account.

A link has the email and the code in its fragment, which browsers send to
no server: neither a log nor a `Referer` header has the code.
"""

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
from vestibule.core.crypto import digest_of_code, new_code
from vestibule.core.errors import (
    FactorResetRefused,
    InvalidValue,
    WrongFactorResetCode,
    WrongResetCode,
)
from vestibule.core.text import email_key
from vestibule.db import codes, mail_tokens
from vestibule.db.codes import NewCode
from vestibule.db.mail_tokens import MailToken
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.mail.notices import MailKind, notices
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.facts import facts_of_session, level_of
from vestibule.sessions.session import EndReason, Session
from vestibule.sessions.store import SessionStore

#: How long a code may be used, unless an invitation has another lifetime.
RESET_CODE_LIFETIME = timedelta(hours=1)
#: Hours for which an invitation is valid at most: a week.
MAX_INVITATION_HOURS = 168
#: The pages that take a code; scripts fill the form from the fragment.
RESET_PATH, INVITATION_PATH = "/reset", "/account/invitation"
# 140 random bits.
_GROUPS = 7
#: The page that takes the code; a script fills the form from the fragment.
#: It is below a path that each gate passes, since people open it by a link.
FACTOR_RESET_PATH = "/account/factor-reset"
#: How the table of tokens names this one.
_PURPOSE = "factor_reset"


class ResetCode(NamedTuple):
    """A code as it is shown, and when it expires."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Leave the code out."""
        return f"ResetCode(expires_at={self.expires_at})"


def _replace_code(user: User, code: NewCode) -> None:
    """Store a user's new code; a new invitation ends mailed ones, too."""
    if codes.is_invited(user):
        codes.replace_invitation(user.id, code, code.created_at)
    else:
        codes.replace_reset_code(user.id, code)


def list_mailed_invitation(
    user: User, mailed_at: datetime, lifetime: timedelta, actor: Actor
) -> None:
    """Make an invitation that was mailed the open one of its user.

    So it is listed and can be revoked, and earlier links stop working. Only
    the mail has a link; the code that is stored is not shown.
    """
    before = mailed_at - timedelta.resolution
    _create_code(
        lambda code: codes.replace_invitation(user.id, code, before),
        actor,
        lifetime,
    )


def issue_code(
    user: User,
    *,
    actor: Actor = LOCAL,
    lifetime: timedelta = RESET_CODE_LIFETIME,
) -> ResetCode:
    """Return a new code for `user`; an earlier one stops working."""
    issued = _create_code(partial(_replace_code, user), actor, lifetime)
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
    path = INVITATION_PATH if codes.is_invited(user) else RESET_PATH
    return f"{path}#{urlencode({'email': user.email, 'code': code})}"


def revoke_invitation(user_id: str, *, actor: Actor = LOCAL) -> bool:
    """End the open invitation of a user; return True if there was one.

    The user stays, without a password.
    """
    if not codes.delete_invitation(user_id, clock.now()):
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


def check_may_reset(user: User, actor: Actor, session: Session | None) -> None:
    """Raise `FactorResetRefused` unless `actor` may reset these factors.

    `session` is that of the admin, and must have level 2.
    """
    if user.id == actor.id or (
        session is None or level_of(facts_of_session(session)) < 2
    ):
        log(
            EventType.ACCESS_DENIED,
            user=actor.id,
            reason="second_factor_required",
        )
        raise FactorResetRefused


def issue_factor_reset(user: User, *, actor: Actor) -> ResetCode:
    """Return a new code with which `user` removes all second factors.

    An earlier one stops working. The user is told by mail, in the same
    transaction.
    """
    code, now = new_code(_GROUPS), clock.now()
    expires_at = now + RESET_CODE_LIFETIME
    mail_tokens.replace(
        MailToken(
            digest_of_code(code),
            _PURPOSE,
            user.id,
            user.email or "",
            expires_at,
        ),
        notices(MailKind.FACTOR_RESET_ISSUED, user),
    )
    log(EventType.FACTOR_RESET_ISSUED, user=user.id, by=actor.id)
    mail_sender().notify()
    return ResetCode(code, expires_at)


def factor_reset_link_path(user: User, code: str) -> str | None:
    """Return the path of the page that takes the code, with the code.

    The fragment has it, which browsers send to no server. Return `None`
    for a user without an email, who cannot give a password there.
    """
    if not user.email:
        return None
    entry = urlencode({"email": user.email, "code": code})
    return f"{FACTOR_RESET_PATH}#{entry}"


def reset_factors(
    user: User,
    code: str,
    store: SessionStore | None = None,
    *,
    actor: Actor,
) -> None:
    """Remove all second factors of `user`, whose password was right.

    All sessions of the user end, those of `store` too. Raise
    `WrongFactorResetCode`, or `Throttled` after too many guesses.
    """
    digest = digest_of_code(code)

    def find() -> MailToken | None:
        """Return the token, if it is this user's."""
        token = mail_tokens.find(digest, _PURPOSE)
        return token if token and token.user_id == user.id else None

    token = guess_code(
        WrongFactorResetCode, f"factor reset {user.id}", actor, find
    )
    told = notices(MailKind.FACTORS_RESET, user)
    if not mail_tokens.reset_factors(token, EndReason.FACTORS_RESET, told):
        raise log_refusal(WrongFactorResetCode())
    log(EventType.FACTORS_RESET, user=user.id)
    end_in_memory(store, user.id, EndReason.FACTORS_RESET)
    mail_sender().notify()

#!/usr/bin/env python3
"""Remove a user's second factors with a code that an admin hands out.

It is for a user who lost the phone and the recovery codes. The admin makes
sure by another way that it is them (OWASP ASVS 5.0, 6.4.4), and hands out a
link. The code in it works once, within an hour, and only together with the
user's password: neither a thief of the password nor the admin gets in with
one of the two. All sessions end, because the lost phone may have one.

An admin needs a second factor of their own in the session, so that a stolen
password of an admin removes the factors of no user; and cannot do it to
their own account."""

from urllib.parse import urlencode

from vestibule.accounts.password_reset import RESET_CODE_LIFETIME, ResetCode
from vestibule.accounts.permissions import Actor
from vestibule.accounts.revocation import end_in_memory
from vestibule.accounts.throttle import guess_code, log_refusal
from vestibule.audit.log import EventType, log
from vestibule.core import clock
from vestibule.core.digest import digest_of_code, new_code
from vestibule.core.errors import FactorResetRefused, WrongFactorResetCode
from vestibule.db import mail_tokens
from vestibule.db.mail_tokens import MailToken
from vestibule.db.models.user import User
from vestibule.mail.notices import MailKind, notices
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.facts import facts_of_session, level_of
from vestibule.sessions.session import EndReason, Session
from vestibule.sessions.store import SessionStore

#: The page that takes the code; a script fills the form from the fragment.
#: It is below a path that each gate passes, since people open it by a link.
FACTOR_RESET_PATH = "/account/factor-reset"
#: How the table of tokens names this one.
_PURPOSE = "factor_reset"
# 140 random bits.
_GROUPS = 7


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

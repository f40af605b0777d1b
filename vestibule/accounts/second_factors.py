#!/usr/bin/env python3
"""Second factors: authenticator apps and recovery codes.

A user may have several apps. A seed is pending until the first right code,
which also gives the user recovery codes, if there are none. Each factor has
a throttle of its own beside those of accounts and networks: after
`FREE_FACTOR_FAILURES` wrong codes each one makes the next attempt wait, and
after 50 in a row the factor is switched off (NIST SP 800-63B-4, 3.2.2).
"""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from vestibule.accounts import totp
from vestibule.accounts.permissions import Actor
from vestibule.accounts.throttle import MAX_WAIT_SECONDS, delay_after
from vestibule.audit.log import EventType, log
from vestibule.core import clock, page_settings
from vestibule.core.access_settings import is_factor_required
from vestibule.core.crypto import digest_of_code, key_ring, new_code
from vestibule.core.errors import (
    FactorSwitchedOff,
    InvalidValue,
    RecordGone,
    Throttled,
    WrongSecondFactor,
)
from vestibule.core.setting_types import is_hardened
from vestibule.db import factors, outgoing_mails
from vestibule.db.factors import (
    PENDING_FACTOR_LIFETIME,
    RECOVERY,
    TOTP,
    Factor,
    Recovery,
)
from vestibule.db.login_failures import (
    MAX_FAILURES_IN_A_ROW,
    Waits,
    begin_attempt,
    take_back_attempt,
)
from vestibule.db.models.base import is_storable
from vestibule.db.models.user import User
from vestibule.db.stored_secrets import factor_secret_place
from vestibule.mail.notices import MailKind, notices
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.facts import Proof, RecoveryCodeProof, TotpProof

#: Failures of a factor without a wait: people mistype.
FREE_FACTOR_FAILURES = 5
#: Authenticator apps of one user.
MAX_APPS = 5
#: Characters of a factor's name.
MAX_NAME_LENGTH = 64
#: Recovery codes of a set, and their groups of 4: 120 random bits.
RECOVERY_CODES = 10
_RECOVERY_GROUPS = 6
#: Characters of a recovery code that are looked at.
MAX_RECOVERY_CODE_LENGTH = 100


class NewApp(NamedTuple):
    """A pending app, and the seed that the user's app needs now."""

    factor: Factor
    #: The seed for people, and as a link for a QR code. Both are secret.
    key: str
    url: str

    def __repr__(self) -> str:
        """Leave the seed out."""
        return f"NewApp({self.factor.id})"


def begin_app(user: User, name: Any) -> NewApp:
    """Store a pending app of `user` with a new seed.

    It replaces the pending one, if there is one. Raise `InvalidValue` for
    the name, or if there are too many apps, and `ConfigurationError`
    without a key for secrets.
    """
    seed, id = totp.new_seed(), str(uuid.uuid4())
    secret = key_ring().encrypt(seed, factor_secret_place(id))
    factor = Factor(id, user.id, TOTP, checked_name(name), secret, clock.now())
    if not factors.add_pending(factor, MAX_APPS):
        raise InvalidValue(
            "name",
            f"cannot be added: at most {MAX_APPS} apps",
            code="too_many",
            max=MAX_APPS,
        )
    return _with_seed(user, factor, seed)


def pending_app(user: User, factor_id: str) -> NewApp:
    """Return an app that waits for its first code, with its seed again.

    Raise `RecordGone` if no such app is pending.
    """
    factor = factors.find(factor_id, user.id)
    if (
        factor is None
        or factor.confirmed_at is not None
        or factor.secret is None
        or clock.now() - factor.created_at >= PENDING_FACTOR_LIFETIME
    ):
        raise RecordGone("no such app is pending")
    place = factor_secret_place(factor.id)
    return _with_seed(user, factor, key_ring().decrypt(factor.secret, place))


def _with_seed(user: User, factor: Factor, seed: bytes) -> NewApp:
    """Return a pending app as its user needs it."""
    issuer = page_settings.BRAND_NAME.read()
    url = totp.otpauth_url(seed, issuer, user.email or user.id)
    return NewApp(factor, totp.key_of(seed), url)


def confirm_app(user: User, factor_id: str, code: str) -> list[str]:
    """Make a pending app count, by its first right code.

    Return new recovery codes if the user has none, else an empty list.
    Raise `RecordGone` if no such app is pending, and what a wrong code
    raises.
    """
    factor = factors.find(factor_id, user.id)
    if factor is None or factor.confirmed_at is not None:
        raise RecordGone("no such app is pending")
    now = clock.now()
    number = _begin_attempt([factor]).get(factor.id)
    step = _step_of(factor, code)
    if step is None:
        raise _refusal(user, [(factor, number or 0)])
    codes: list[str] = []
    recovery = None
    if not factors.count_recovery_codes(user.id):
        recovery, codes = new_recovery(user)
    told = notices(MailKind.FACTOR_ADDED, user)
    if not factors.confirm(factor, step, now, recovery, told):
        raise RecordGone("the app is not pending any more")
    log(EventType.FACTOR_ADDED, user=user.id, reason=TOTP)
    mail_sender().notify()
    return codes


def check_second_factor(
    user: User, code: str = "", recovery_code: str = ""
) -> Proof:
    """Return the proof of a code of an app, or else of a recovery code.

    Raise `WrongSecondFactor`, counted as a failure of each factor that was
    tried; `Throttled` while all of them have to wait; `FactorSwitchedOff`.
    """
    if recovery_code:
        return _check_recovery_code(user, recovery_code)
    apps = [one for one in factors.of_user(user.id) if one.kind == TOTP]
    if not apps:
        raise WrongSecondFactor
    numbers = _begin_attempt(apps)
    tried = [one for one in apps if one.id in numbers]
    now = clock.now()
    for factor in tried:
        step = _step_of(factor, code)
        if step is None or not factors.use_step(factor.id, step, now):
            continue
        for other in tried:
            if other.id != factor.id:
                take_back_attempt(other.id)
        return TotpProof(now)
    raise _refusal(user, [(one, numbers[one.id]) for one in tried])


def remove_factor(
    user: User,
    factor_id: str,
    *,
    by: str | None = None,
    may_be_last: bool = False,
) -> None:
    """Delete an app or a passkey of `user`; `RecordGone` if there is none.

    The recovery codes go with the last one. `by` is the id of another
    person who does it, for the event. Raise `LastFactor` for the last one
    while `REQUIRE_MFA` asks for one, unless it `may_be_last`; `LastPasskey`
    for that of a user without a password.
    """
    told = notices(MailKind.FACTOR_REMOVED, user)
    may_be_last = may_be_last or not is_factor_required(user.role)
    if not is_storable(factor_id):
        raise RecordGone("there is no such factor")
    factor = factors.find(factor_id, user.id)
    if factor is None or not factors.remove(
        factor_id, user.id, told, may_be_last
    ):
        raise RecordGone("there is no such factor")
    log(EventType.FACTOR_REMOVED, user=user.id, by=by, reason=factor.kind)
    mail_sender().notify()


def rename_factor(user: User, factor_id: str, name: Any) -> Factor:
    """Give an app or a passkey of `user` another name; return it.

    Raise `InvalidValue` for the name, and `RecordGone` if there is no such
    factor.
    """
    new = checked_name(name)
    if not is_storable(factor_id) or not factors.rename(
        factor_id, user.id, new
    ):
        raise RecordGone("there is no such factor")
    factor = factors.find(factor_id, user.id)
    if factor is None:
        raise RecordGone("there is no such factor")
    log(EventType.FACTOR_RENAMED, user=user.id, reason=factor.kind)
    return factor


def remove_all_factors(user: User, *, actor: Actor) -> int:
    """Delete all factors of a user; return how many apps and passkeys.

    It is for a user who lost both, and whom the operator knows by another
    way (ASVS 5.0, 6.4.4).
    """
    own = [one for one in factors.of_user(user.id) if one.kind != RECOVERY]
    for one in own:
        with suppress(RecordGone):
            remove_factor(user, one.id, by=actor.id, may_be_last=True)
    return len(own)


def replace_recovery_codes(user: User) -> list[str]:
    """Return a new set of codes; the one before stops working.

    Raise `RecordGone` if the user has no other factor.
    """
    recovery, codes = new_recovery(user)
    if not factors.replace_recovery(recovery):
        raise RecordGone("there is no factor that a code could replace")
    log(EventType.RECOVERY_CODES_REPLACED, user=user.id)
    return codes


def _check_recovery_code(user: User, code: str) -> Proof:
    """Return the proof of a recovery code, which is used up."""
    own = [one for one in factors.of_user(user.id) if one.kind == RECOVERY]
    if not own:
        raise WrongSecondFactor
    numbers = _begin_attempt(own)
    digest = digest_of_code(code[:MAX_RECOVERY_CODE_LENGTH])
    now = clock.now()
    told = notices(MailKind.RECOVERY_CODE_USED, user)
    if not factors.use_recovery_code(own[0], digest, now, told):
        raise _refusal(user, [(own[0], numbers[own[0].id])])
    left = factors.count_recovery_codes(user.id)
    log(EventType.RECOVERY_CODE_USED, user=user.id, count=left)
    mail_sender().notify()
    return RecoveryCodeProof(now)


def _begin_attempt(listed: Sequence[Factor]) -> dict[str, int]:
    """Count an attempt on each factor that allows one now.

    Return the numbers of failures in a row by the factors' ids, this one
    included. Raise `FactorSwitchedOff` or `Throttled` if none allows one.
    """
    now = clock.now()
    longest = MAX_WAIT_SECONDS.bit_length() + FREE_FACTOR_FAILURES
    waits = Waits(
        now,
        FREE_FACTOR_FAILURES,
        {
            number: now
            - timedelta(seconds=delay_after(number, FREE_FACTOR_FAILURES))
            for number in range(FREE_FACTOR_FAILURES + 1, longest + 1)
        },
        now - timedelta(seconds=MAX_WAIT_SECONDS),
    )
    counted = {
        factor.id: number
        for factor in listed
        if (number := begin_attempt(factor.id, waits)) is not None
    }
    if counted:
        return counted
    # Read again: another request may have counted a failure just now.
    stored = [factors.find(one.id, one.user_id) for one in listed]
    usable = [one for one in stored if one and not one.is_switched_off]
    if not usable:
        raise FactorSwitchedOff
    error = Throttled(min(_seconds_left(one) for one in usable))
    log(
        EventType.THROTTLED,
        user=listed[0].user_id,
        reason="second_factor",
        retry_after=error.retry_after,
    )
    raise error


def _seconds_left(factor: Factor) -> int:
    """Return the whole seconds that a factor's next attempt has to wait."""
    if factor.failed_at is None:
        return 1
    passed = max(0.0, (clock.now() - factor.failed_at).total_seconds())
    wait = delay_after(factor.failures, FREE_FACTOR_FAILURES)
    return max(1, -int(-(wait - passed) // 1))


def _refusal(
    user: User, tried: Sequence[tuple[Factor, int]]
) -> WrongSecondFactor:
    """Log a wrong code, and each factor that it switches off.

    Of several requests at once, the one that counted the last allowed
    failure logs that and mails it. Its count was stored before the code was
    checked, so the mail is not in that transaction.
    """
    log(EventType.SECOND_FACTOR_REFUSED, user=user.id)
    for factor, number in tried:
        if number == MAX_FAILURES_IN_A_ROW:
            log(
                EventType.FACTOR_SWITCHED_OFF,
                user=user.id,
                reason=factor.kind,
            )
            outgoing_mails.add(notices(MailKind.FACTOR_SWITCHED_OFF, user))
            mail_sender().notify()
    return WrongSecondFactor()


def _step_of(factor: Factor, typed: str) -> int | None:
    """Return the time step whose code was typed, or `None`."""
    code = totp.parse_code(typed)
    if code is None or factor.secret is None:
        return None
    place = factor_secret_place(factor.id)
    seed = key_ring().decrypt(factor.secret, place)
    ahead = 0 if is_hardened() else 1
    return totp.matching_step(seed, code, clock.now(), ahead)


def new_recovery(user: User) -> tuple[Recovery, list[str]]:
    """Return a new set of recovery codes, to be stored and to be shown."""
    codes = [new_code(_RECOVERY_GROUPS) for _ in range(RECOVERY_CODES)]
    now = clock.now()
    factor = Factor(
        str(uuid.uuid4()), user.id, RECOVERY, "", None, now, confirmed_at=now
    )
    return Recovery(factor, [digest_of_code(c) for c in codes]), codes


def checked_name(name: Any) -> str:
    """Return the name of a factor; raise `InvalidValue`."""
    if not isinstance(name, str) or not is_storable(name):
        raise InvalidValue("name", "must be text", code="invalid")
    stripped = " ".join(name.split())
    if not 0 < len(stripped) <= MAX_NAME_LENGTH or not stripped.isprintable():
        raise InvalidValue(
            "name",
            f"must have 1 to {MAX_NAME_LENGTH} characters",
            code="invalid",
        )
    return stripped

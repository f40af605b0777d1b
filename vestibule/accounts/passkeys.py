#!/usr/bin/env python3
"""Passkeys of users: enroll them, and check what they answer.

A passkey is a factor of the kind `passkey`. One that verifies the user signs
them in without a password; any one is a second factor after it. Each
challenge is stored, for one use within 5 minutes.
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from vestibule.accounts import webauthn
from vestibule.accounts.cose import ALGORITHMS
from vestibule.accounts.permissions import Actor, is_disabled
from vestibule.accounts.second_factors import checked_name, new_recovery
from vestibule.accounts.webauthn import (
    Expected,
    StoredKey,
    challenge_in,
    credential_id,
)
from vestibule.audit.log import EventType, log
from vestibule.core import clock, page_settings
from vestibule.core.crypto import digest_of
from vestibule.core.errors import (
    InvalidValue,
    PasskeyRefused,
    RecordGone,
    UnknownPasskey,
)
from vestibule.core.host_types import is_passkey_origin
from vestibule.core.request_headers import network_of
from vestibule.db import factors, outgoing_mails, passkeys
from vestibule.db.factors import PASSKEY, Factor
from vestibule.db.models.user import User
from vestibule.db.passkeys import CHALLENGE_LIFETIME, Challenge, Passkey
from vestibule.mail.notices import MailKind, notices
from vestibule.mail.outbox import mail_sender
from vestibule.sessions.facts import PasskeyProof, Proof, VerifiedPasskeyProof

#: Passkeys of one user.
MAX_PASSKEYS = 20
#: Random bytes of a challenge.
CHALLENGE_BYTES = 32
#: What a challenge is for; an answer counts for that alone.
REGISTER, SIGN_IN = "register", "sign_in"
SECOND_FACTOR, REAUTHENTICATE = "second_factor", "reauthenticate"

Answer = Mapping[str, Any]
Options = dict[str, Any]


class Site(NamedTuple):
    """The RP ID of the passkeys, and the origins whose pages use them."""

    rp_id: str
    origins: tuple[str, ...]


def site() -> Site | None:
    """Return the site; `None` if the settings name none: no passkeys."""
    address = page_settings.PUBLIC_URL.read()
    parts = urlsplit(address or "")
    own = f"{parts.scheme}://{parts.netloc}".lower()
    own = own.removesuffix(":443" if parts.scheme == "https" else ":80")
    origins = page_settings.PASSKEY_ORIGINS.read() or (own,)
    rp_id = page_settings.PASSKEY_RP_ID.read() or parts.hostname
    if not rp_id or not all(map(is_passkey_origin, origins)):
        return None
    return Site(rp_id, origins)


def registration_options(user: User, actor: Actor) -> Options:
    """Return what a browser needs to make a passkey of `user`.

    Raise `InvalidValue` if there are too many.
    """
    own = passkeys.of_user(user.id)
    if len(own) >= MAX_PASSKEYS:
        raise _too_many()
    name = user.email or user.id
    return {
        "rp": {
            "id": _site().rp_id,
            "name": page_settings.BRAND_NAME.read(),
        },
        "user": {
            "id": passkeys.handle_of(user.id),
            "name": name,
            "displayName": user.display_name() or name,
        },
        "challenge": _new_challenge(REGISTER, user, actor),
        "pubKeyCredParams": [
            {"type": "public-key", "alg": number} for number in ALGORITHMS
        ],
        "timeout": _timeout(),
        "excludeCredentials": _descriptors(own),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def sign_in_options(actor: Actor) -> Options:
    """Return what a browser needs to sign in with any passkey.

    No user is known, so no passkey is named.
    """
    return _request_options(SIGN_IN, None, actor)


def proof_options(user: User, purpose: str, actor: Actor) -> Options:
    """Return what a browser needs for a proof by a passkey of `user`."""
    return _request_options(purpose, user, actor)


def add_passkey(
    user: User, name: Any, answer: Answer
) -> tuple[Factor, list[str]]:
    """Store the passkey that an authenticator made; it counts at once.

    Return it, and new recovery codes if the user has none. Raise
    `InvalidValue` for the name or too many passkeys, `PasskeyRefused` with
    status 400.
    """
    shown = checked_name(name)
    try:
        expected = _expected(answer, REGISTER, user, True)
        made = webauthn.check_registration(answer, expected)
        if passkeys.find(made.id) is not None:
            raise PasskeyRefused("known_id")
    except PasskeyRefused as error:
        log(EventType.PASSKEY_REFUSED, user=user.id, reason=error.reason)
        error.status = 400
        raise
    now, factor_id = clock.now(), str(uuid.uuid4())
    factor = Factor(
        factor_id, user.id, PASSKEY, shown, None, now, confirmed_at=now
    )
    passkey = Passkey(
        factor_id,
        user.id,
        made.id,
        made.public_key,
        made.sign_count,
        made.backup_eligible,
        made.backed_up,
        made.transports,
        expected.rp_id,
    )
    recovery, codes = None, list[str]()
    if not factors.count_recovery_codes(user.id):
        recovery, codes = new_recovery(user)
    told = notices(MailKind.FACTOR_ADDED, user)
    if not passkeys.add(factor, passkey, MAX_PASSKEYS, recovery, told):
        raise _too_many()
    log(EventType.FACTOR_ADDED, user=user.id, reason=PASSKEY)
    mail_sender().notify()
    return factor, codes


def check_sign_in(answer: Answer) -> tuple[User, Proof]:
    """Return the user whose passkey answered, and the proof it gave.

    Raise `PasskeyRefused`; `UnknownPasskey` if no user has it.
    """
    user: User | None = None
    try:
        expected = _expected(answer, SIGN_IN, None, True)
        passkey = _stored(answer)
        user = User.get(passkey.user_id)
        if user is None:
            raise UnknownPasskey("unknown")
        response = answer.get("response")
        if not isinstance(response, dict) or not response.get("userHandle"):
            raise PasskeyRefused("user_handle")
        proof = _check(passkey, user, answer, expected)
        if is_disabled(user):
            log(EventType.LOGIN_DISABLED, user=user.id)
            raise PasskeyRefused("disabled")
    except PasskeyRefused as error:
        id = None if user is None else user.id
        log(EventType.PASSKEY_REFUSED, user=id, reason=error.reason)
        raise
    return user, proof


def check_proof(user: User, purpose: str, answer: Answer) -> Proof:
    """Return the proof of a passkey of `user`; raise `PasskeyRefused`."""
    try:
        expected = _expected(answer, purpose, user, False)
        passkey = _stored(answer)
        if passkey.user_id != user.id:
            raise PasskeyRefused("other_user")
        return _check(passkey, user, answer, expected)
    except PasskeyRefused as error:
        log(EventType.PASSKEY_REFUSED, user=user.id, reason=error.reason)
        raise


def accepted_passkeys(user: User) -> dict[str, Any]:
    """Return what the Signal API needs on a page of `user`.

    Authenticators then drop removed passkeys (WebAuthn 3, 5.1.10).
    """
    name = user.email or user.id
    return {
        "rpId": _site().rp_id,
        "userId": passkeys.handle_of(user.id),
        "name": name,
        "displayName": user.display_name() or name,
        "allAcceptedCredentialIds": [
            one.credential_id for one in passkeys.of_user(user.id)
        ],
    }


def remove_password(user: User) -> None:
    """Remove the password of `user`, who signs in by passkeys from now on.

    Raise `InvalidValue` unless there are two passkeys, or one and recovery
    codes.
    """
    told = notices(MailKind.PASSWORD_CHANGED, user)
    if not user.has_password or not passkeys.remove_password(user, told):
        raise InvalidValue(
            "password",
            "can be removed with two passkeys, or one and recovery codes",
            code="passkeys_needed",
        )
    log(EventType.PASSWORD_CHANGED, user=user.id, reason="removed")
    mail_sender().notify()


def _site() -> Site:
    """Return the site; raise `RecordGone`, a 404, if there is none."""
    found = site()
    if found is None:
        raise RecordGone("PUBLIC_URL does not allow passkeys")
    return found


def _timeout() -> int:
    """Return how long a browser may wait, in milliseconds."""
    return int(CHALLENGE_LIFETIME.total_seconds()) * 1_000


def _request_options(purpose: str, user: User | None, actor: Actor) -> Options:
    """Return the options of a request for a proof."""
    own = [] if user is None else passkeys.of_user(user.id)
    return {
        "challenge": _new_challenge(purpose, user, actor),
        "timeout": _timeout(),
        "rpId": _site().rp_id,
        "allowCredentials": _descriptors(own),
        "userVerification": "required" if user is None else "preferred",
    }


def _descriptors(listed: Sequence[Passkey]) -> list[dict[str, Any]]:
    """Return what names passkeys to a browser."""
    return [
        {
            "type": "public-key",
            "id": one.credential_id,
            "transports": one.transports.split(),
        }
        for one in listed
    ]


def _new_challenge(purpose: str, user: User | None, actor: Actor) -> str:
    """Store a new challenge, and return it."""
    _site()
    challenge = secrets.token_urlsafe(CHALLENGE_BYTES)
    stored = Challenge(
        digest_of(challenge),
        purpose,
        None if user is None else user.id,
        network_of(actor.address),
        clock.now(),
    )
    passkeys.add_challenge(stored)
    return challenge


def _expected(
    answer: Answer, purpose: str, user: User | None, needs_verification: bool
) -> Expected:
    """Return what an answer has to fit; its challenge is used up."""
    found, challenge = _site(), challenge_in(answer)
    user_id = None if user is None else user.id
    digest = digest_of(challenge)
    if not passkeys.use_challenge(digest, purpose, user_id, clock.now()):
        raise PasskeyRefused("challenge")
    return Expected(challenge, found.rp_id, found.origins, needs_verification)


def _stored(answer: Answer) -> Passkey:
    """Return the passkey that an answer names; raise `UnknownPasskey`."""
    found = passkeys.find(credential_id(answer))
    if found is None:
        raise UnknownPasskey("unknown")
    return found


def _check(
    passkey: Passkey, user: User, answer: Answer, expected: Expected
) -> Proof:
    """Return the proof of an answer by `passkey` of `user`."""
    stored = StoredKey(
        passkey.public_key,
        passkey.backup_eligible,
        passkeys.handle_of(user.id),
    )
    said = webauthn.check_assertion(answer, expected, stored)
    now = clock.now()
    if not passkeys.use(passkey, said.sign_count, said.backed_up, now):
        # There may be a copy of a passkey that cannot be copied.
        outgoing_mails.add(notices(MailKind.PASSKEY_REFUSED, user))
        mail_sender().notify()
        raise PasskeyRefused("sign_count")
    if said.user_verified:
        return VerifiedPasskeyProof(now)
    return PasskeyProof(now)


def _too_many() -> InvalidValue:
    """Return the refusal of one passkey more."""
    return InvalidValue(
        "name",
        f"cannot be added: at most {MAX_PASSKEYS} passkeys",
        code="too_many_passkeys",
        max=MAX_PASSKEYS,
    )

#!/usr/bin/env python3
"""Signed identities: which key signs, which are published, and keys."""

import hashlib
import json
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.core.errors import ConfigurationError
from vestibule.db import stored_secrets
from vestibule.identity import keys
from vestibule.identity.header import COPY_MAX_AGE, Identity
from vestibule.identity.keys import (
    Key,
    KeyRing,
    Signer,
    select_published_keys,
    select_signing_key,
)

pytestmark = pytest.mark.usefixtures("on_sqlite")

BOB = Identity("1", "bob@example.com", "member", True, "app.example")
START = datetime.fromisoformat("2026-03-29T00:30:15.123457+00:00")
PRIVATE = Ed25519PrivateKey.generate()

seconds = st.integers


def after(count: float) -> datetime:
    """Return the moment that many seconds after the start."""
    return START + timedelta(seconds=count)


def stored_after(rotations: list[int]) -> list[tuple[datetime, list[Key]]]:
    """Return what is stored from when on, with pauses between rotations."""
    moment = START
    stored = [Key("0", moment, PRIVATE)]
    history = [(moment, stored)]
    for number, pause in enumerate(rotations, 1):
        moment += timedelta(seconds=pause)
        kept = select_published_keys(stored, moment)
        stored = [*kept, Key(str(number), moment, PRIVATE)]
        history.append((moment, stored))
    return history


def at(history: list[tuple[datetime, list[Key]]], moment: datetime) -> Any:
    """Return what was stored at `moment`; at first the first key."""
    known = [stored for since, stored in history if since <= moment]
    return known[-1] if known else history[0][1]


@given(
    rotations=st.lists(seconds(0, 1000), max_size=6),
    signed=seconds(0, 4000),
    read_before=seconds(0, 30),
    used=seconds(0, 59),
    copied=seconds(0, int(COPY_MAX_AGE.total_seconds())),
    shown_before=seconds(0, 30),
)
@example([1000], 1329, 0, 0, 300, 30)
@example([1000], 1359, 0, 59, 0, 0)
def test_each_valid_token_has_a_published_key(
    rotations: list[int],
    signed: int,
    read_before: int,
    used: int,
    copied: int,
    shown_before: int,
) -> None:
    """A copy of the keys that may still be used has the key of any token.

    Whatever was rotated, and however old what the two workers know is.
    """
    history = stored_after(rotations)
    key = select_signing_key(
        at(history, after(signed - read_before)), after(signed)
    )
    copy = signed + used - copied
    shown = select_published_keys(
        at(history, after(copy - shown_before)), after(copy)
    )
    assert key.id in [one.id for one in shown]


@given(st.lists(seconds(0, 1000), max_size=6), seconds(0, 9000))
def test_newest_key_signs_in_the_end(rotations: list[int], rest: int) -> None:
    """One key signs at each moment, a published one; the last stays alone."""
    history = stored_after(rotations)
    for moment in (after(rest), history[-1][0]):
        stored = at(history, moment)
        assert select_signing_key(stored, moment) in select_published_keys(
            stored, moment
        )
    latest, stored = history[-1]
    assert select_signing_key(stored, latest + keys.KEY_OVERLAP) is stored[-1]
    assert (
        select_published_keys(stored, latest + 2 * keys.KEY_OVERLAP)
        == stored[-1:]
    )


def test_concurrent_workers_create_one_key(any_database: str) -> None:
    """All that start at once sign with the same key."""
    rings = [KeyRing() for _ in range(8)]
    made = at_once(8, lambda number: rings[number].signing().id)
    assert len(set(made)) == 1
    assert [key.id for key in stored_secrets.stored_signing_keys()] == made[:1]


def test_ring_reads_rotated_keys_after_half_a_minute(
    any_database: str, set_clock: SetClock
) -> None:
    """Half a minute after a rotation each worker publishes the new key."""
    ring = KeyRing()
    old = ring.signing().id
    set_clock.advance(1)
    new = keys.rotate(at_once=False)
    set_clock.advance(28)
    assert [key.id for key in ring.published()] == [old]
    set_clock.advance(1)
    assert [key.id for key in ring.published()] == [old, new]
    assert ring.signing().id == old
    third = keys.rotate(at_once=True)
    set_clock.advance(30)
    assert [key.id for key in ring.published()] == [third]
    assert ring.signing().id == third


def test_ring_reads_again_if_the_clock_was_set_back(
    set_clock: SetClock,
) -> None:
    """It reads again instead of trusting what it read in the future."""
    ring = KeyRing()
    ring.signing()
    new = keys.rotate(at_once=True)
    set_clock.advance(-3600)
    assert ring.signing().id == new


def checked(signer: Signer, token: str, audience: str) -> dict[str, Any]:
    """Return what a token says, as an application checks it.

    Time is not looked at: the clock of the test is not the library's.
    """
    known = jwt.PyJWKSet.from_dict({"keys": signer.public_keys()})
    key = known[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=audience,
        options={"verify_exp": False, "verify_iat": False},
    )


def test_token_has_user_audience_and_expiry(
    any_database: str, set_clock: SetClock
) -> None:
    """Issuer, subject, audience, email and role, for a minute."""
    signer = Signer(KeyRing())
    token = signer.token(BOB)
    said = checked(signer, token, "app.example")
    issued = int(set_clock.now().timestamp())
    assert said == {
        "iss": "vestibule",
        "sub": "1",
        "aud": "app.example",
        "iat": issued,
        "exp": issued + 60,
        "email": "bob@example.com",
        "email_verified": True,
        "role": "member",
        "phishing_resistant": False,
    }
    with pytest.raises(jwt.InvalidAudienceError):
        checked(signer, token, "other.example")


def test_only_our_signature_is_accepted(set_clock: SetClock) -> None:
    """No algorithm, another key or another algorithm is refused."""
    signer = Signer(KeyRing())
    token = signer.token(BOB)
    head, said, signature = token.split(".")
    kid = jwt.get_unverified_header(token)["kid"]
    claims = checked(signer, token, "app.example")
    other = jwt.encode(
        claims, Ed25519PrivateKey.generate(), "EdDSA", {"kid": kid}
    )
    unsigned = jwt.encode(claims, "", "none", {"kid": kid})
    for forged in (
        unsigned,
        other,
        f"{head}.{said}.",
        f"{head}.{other.split('.')[1][:-2]}AA.{signature}",
    ):
        with pytest.raises(jwt.InvalidTokenError):
            checked(signer, forged, "app.example")


def test_published_keys_have_no_private_part(set_clock: SetClock) -> None:
    """The members of a JSON Web Key are there, and no private one."""
    (key,) = Signer(KeyRing()).public_keys()
    assert set(key) == {"alg", "crv", "kid", "kty", "use", "x"}
    assert (key["alg"], key["crv"], key["kty"]) == ("EdDSA", "Ed25519", "OKP")
    # RFC 7638: the hash of the members that a key must have, in order.
    canonical = json.dumps(
        {name: key[name] for name in ("crv", "kty", "x")},
        separators=(",", ":"),
    )
    digest = hashlib.sha256(canonical.encode()).digest()
    assert urlsafe_b64decode(key["kid"] + "=") == digest


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(st.lists(seconds(-50, 50), max_size=20))
def test_reused_token_is_valid_for_a_quarter_minute(steps: list[int]) -> None:
    """Each client gets at least that long, whatever the clock does."""
    with pytest.MonkeyPatch.context() as patch:
        set_clock = SetClock().install(patch)
        given = keys.new_key(set_clock.now() - timedelta(days=1))
        patch.setenv("IDENTITY_SIGNING_KEY", given.private_key)
        signer = Signer(KeyRing())
        last, last_at = signer.token(BOB), set_clock.now()
        for step in steps:
            set_clock.advance(step)
            token = signer.token(BOB)
            said = checked(signer, token, "app.example")
            now = set_clock.now().timestamp()
            assert said["exp"] - now > 14
            assert said["iat"] <= now
            fresh = last_at <= set_clock.now() < last_at + keys.REUSE_TIME
            assert (token == last) is fresh
            if not fresh:
                last, last_at = token, set_clock.now()


def test_each_user_has_a_separate_token(set_clock: SetClock) -> None:
    """Users that differ in any claim get different keys."""
    signer = Signer(KeyRing())
    made = {signer.token(BOB)} | {
        signer.token(other)
        for other in (
            BOB._replace(subject="other"),
            BOB._replace(email="other"),
            BOB._replace(role="other"),
            BOB._replace(is_verified=False),
            BOB._replace(audience="other"),
            BOB._replace(auth_time=1),
            BOB._replace(amr=("otp",)),
            BOB._replace(acr="other"),
            BOB._replace(phishing_resistant=True),
            BOB._replace(reauth_window=1),
        )
    }
    assert len(made) == 1 + len(BOB._fields)
    set_clock.advance(44)
    assert signer.token(BOB) in made


def test_number_of_cached_tokens_is_bounded(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one that was used is still there."""
    monkeypatch.setattr(keys, "MAX_CACHED_TOKENS", 10)
    signer = Signer(KeyRing())
    for number in range(25):
        asked = BOB._replace(audience=f"{number}.example")
        assert signer.token(asked) == signer.token(asked)
        assert len(signer._tokens) <= 10


def test_configured_key_signs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It signs alone, with real line breaks or written ones."""
    made = keys.new_key(START)
    for text in (made.private_key, made.private_key.replace("\n", "\\n")):
        monkeypatch.setenv("IDENTITY_SIGNING_KEY", text)
        ring = KeyRing()
        assert ring.signing().id == made.id
        assert [key.id for key in ring.published()] == [made.id]
    assert stored_secrets.stored_signing_keys() == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
        "-----BEGIN secret",
        "secret",
    ],
)
def test_invalid_key_is_refused_and_not_shown(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start fails; neither the error nor its cause shows the key."""
    monkeypatch.setenv("IDENTITY_SIGNING_KEY", text)
    with pytest.raises(ConfigurationError) as refused:
        KeyRing()
    error: BaseException | None = refused.value
    while error is not None:
        assert "secret" not in repr(error)
        error = error.__cause__
    assert refused.value.name == "IDENTITY_SIGNING_KEY"


def test_repr_shows_no_key() -> None:
    """Neither of what is stored nor of what signs."""
    stored = keys.new_key(START)
    key = Key(stored.id, START, keys.parse_private_key(stored.private_key))
    assert "private" not in repr(key).lower()
    assert "PRIVATE" not in repr(stored)

#!/usr/bin/env python3
"""The ceremonies of passkeys without a database, with random changes."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soft_authenticator import (
    AT,
    BE,
    ED,
    ORIGIN,
    RP_ID,
    UP,
    UV,
    SoftAuthenticator,
    cbor,
    decoded,
    encoded,
)
from vestibule.accounts.cose import check_cbor
from vestibule.accounts.webauthn import (
    Expected,
    StoredKey,
    check_assertion,
    check_registration,
)
from vestibule.core.errors import PasskeyRefused

CHALLENGE = encoded(bytes(range(32)))
EXPECTED = Expected(CHALLENGE, RP_ID, (ORIGIN,), True)
HANDLE = encoded(b"h" * 32)
OPTIONS = {"challenge": CHALLENGE, "user": {"id": HANDLE}}
DEVICE = SoftAuthenticator()
MADE = check_registration(DEVICE.create(OPTIONS), EXPECTED)
STORED = StoredKey(MADE.public_key, MADE.backup_eligible, HANDLE)
ANSWER = DEVICE.get(OPTIONS)
ATTESTATION = decoded(DEVICE.create(OPTIONS)["response"]["attestationObject"])


def changed(part: str, raw: bytes) -> dict[str, Any]:
    """Return the answer with other bytes in a part."""
    return ANSWER | {"response": ANSWER["response"] | {part: encoded(raw)}}


def test_right_answer_is_accepted() -> None:
    """So each change below is the reason of its refusal."""
    assert check_assertion(ANSWER, EXPECTED, STORED) == (1, False, True)


@given(
    st.sampled_from(("clientDataJSON", "authenticatorData", "signature")),
    st.data(),
)
def test_any_changed_bit_of_an_answer_is_refused(
    part: str, data: st.DataObject
) -> None:
    """All of it is signed."""
    raw = bytearray(decoded(ANSWER["response"][part]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PasskeyRefused):
        check_assertion(changed(part, bytes(raw)), EXPECTED, STORED)


@given(
    st.integers(0, len(ATTESTATION)),
    st.integers(0, 40),
    st.binary(max_size=40),
)
def test_any_attestation_is_accepted_or_refused(
    at: int, cut: int, new: bytes
) -> None:
    """No bytes lead to another error."""
    end = at + cut
    raw = ATTESTATION[:at] + new + ATTESTATION[end:]
    try:
        check_registration(DEVICE.create(OPTIONS, raw), EXPECTED)
    except PasskeyRefused:
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_cbor_or_refused(raw: bytes) -> None:
    """The end of an item is within the bytes."""
    try:
        assert 0 < check_cbor(raw) <= len(raw)
    except PasskeyRefused:
        return


def test_self_attestation_is_checked() -> None:
    """Some authenticators sign though nothing is asked for."""
    device = SoftAuthenticator()
    data = device.data(AT, device.attested())
    client = decoded(device.create(OPTIONS)["response"]["clientDataJSON"])
    message = data + hashlib.sha256(client).digest()
    statement = {"alg": -7, "sig": device.sign(message)}
    raw = cbor({"fmt": "packed", "attStmt": statement, "authData": data})
    made = check_registration(device.create(OPTIONS, raw), EXPECTED)
    assert made.id == encoded(device.credential_id)


def test_extensions_are_read_and_ignored() -> None:
    """An authenticator may add some that were not asked for."""
    device = SoftAuthenticator(flags=UP | UV | BE)
    extra = device.attested() + cbor({"credProtect": 2})
    raw = cbor(
        {"fmt": "none", "attStmt": {}, "authData": device.data(AT | ED, extra)}
    )
    made = check_registration(device.create(OPTIONS, raw), EXPECTED)
    assert made.backup_eligible
    assert made.transports == "hybrid internal"


def test_passkey_without_verification_counts_where_it_may() -> None:
    """Beside a password it is preferred, and said what it did."""
    lenient = EXPECTED._replace(needs_user_verification=False)
    device = SoftAuthenticator(flags=UP, key=DEVICE.key)
    device.credential_id, device.handle = DEVICE.credential_id, HANDLE
    said = check_assertion(device.get(OPTIONS), lenient, STORED)
    assert not said.user_verified
    with pytest.raises(PasskeyRefused):
        check_assertion(device.get(OPTIONS), EXPECTED, STORED)

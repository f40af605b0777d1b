#!/usr/bin/env python3
"""The ceremonies of passkeys: check what an authenticator answered.

These are the steps of Web Authentication, Level 3, 7.1 and 7.2, without a
database: a caller gives what it expects, and gets what the authenticator
said, or `PasskeyRefused` with a word for the log. Nothing is repaired.

The library `fido2` parses the authenticator data; `vestibule.accounts.cose`
says why its CBOR is checked before. It is loaded only when a passkey is used.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from vestibule.accounts.cose import (
    check_cbor,
    cose_key,
    from_base64url,
    is_map,
    load,
    to_base64url,
    verify,
)
from vestibule.core.errors import PasskeyRefused

#: Bytes of parts of an answer. Attestation is not asked for, so the longest
#: legitimate answer has an RSA key and an id of 1023 bytes.
MAX_CLIENT_DATA, MAX_ATTESTATION, MAX_AUTHENTICATOR_DATA = 4_096, 8_192, 4_096
MAX_SIGNATURE, MAX_HANDLE = 1_024, 64
#: Bytes of the id of a passkey (WebAuthn 3, 4 and 7.1).
MIN_CREDENTIAL_ID, MAX_CREDENTIAL_ID = 16, 1_023
#: Ways to reach an authenticator (WebAuthn 3, 5.8.4).
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")
_CREATE, _GET = "webauthn.create", "webauthn.get"


class Expected(NamedTuple):
    """What an answer has to fit."""

    challenge: str
    rp_id: str
    #: The exact origins of the pages.
    origins: tuple[str, ...]
    needs_user_verification: bool


class StoredKey(NamedTuple):
    """What is known of a passkey that answers."""

    public_key: str
    backup_eligible: bool
    #: The handle of its user.
    handle: str


class NewCredential(NamedTuple):
    """A passkey that an authenticator made."""

    id: str
    public_key: str
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    transports: str


class Assertion(NamedTuple):
    """What an authenticator said of a use of a passkey."""

    sign_count: int
    backed_up: bool
    user_verified: bool


def credential_id(answer: Mapping[str, Any]) -> str:
    """Return the id of the passkey that an answer is of."""
    id, type = answer.get("id"), answer.get("type")
    raw = from_base64url(id, MAX_CREDENTIAL_ID, "id")
    if len(raw) < MIN_CREDENTIAL_ID or answer.get("rawId", id) != id:
        raise PasskeyRefused("id")
    if type != "public-key":
        raise PasskeyRefused("credential_type")
    return str(id)


def challenge_in(answer: Mapping[str, Any]) -> str:
    """Return the challenge that an answer says it is for, unchecked."""
    challenge = _client_data(_response(answer))[1].get("challenge")
    if not isinstance(challenge, str):
        raise PasskeyRefused("challenge")
    return challenge


def check_registration(
    answer: Mapping[str, Any], expected: Expected
) -> NewCredential:
    """Return the passkey that an authenticator made (WebAuthn 3, 7.1)."""
    id, response = credential_id(answer), _response(answer)
    digest = _check_client_data(response, _CREATE, expected)
    raw = from_base64url(
        response.get("attestationObject"), MAX_ATTESTATION, "attestation"
    )
    if check_cbor(raw) != len(raw):
        raise PasskeyRefused("cbor")
    data, key = _attested(raw, digest)
    _check_flags(data, expected, has_credential=True)
    if to_base64url(data.credential_data.credential_id) != id:
        raise PasskeyRefused("id")
    transports = response.get("transports")
    listed = transports if isinstance(transports, list) else []
    return NewCredential(
        id,
        key,
        data.counter,
        data.is_backup_eligible(),
        data.is_backed_up(),
        data.is_user_verified(),
        " ".join(known for known in TRANSPORTS if known in listed),
    )


def check_assertion(
    answer: Mapping[str, Any], expected: Expected, stored: StoredKey
) -> Assertion:
    """Return what an authenticator said with a passkey (WebAuthn 3, 7.2).

    The caller compares the sign count.
    """
    credential_id(answer)
    response = _response(answer)
    digest = _check_client_data(response, _GET, expected)
    handle = response.get("userHandle")
    # An authenticator that was given the id may leave the handle out.
    if handle is not None and handle != stored.handle:
        raise PasskeyRefused("user_handle")
    raw = from_base64url(
        response.get("authenticatorData"),
        MAX_AUTHENTICATOR_DATA,
        "authenticator_data",
    )
    data = _authenticator_data(raw)
    _check_flags(data, expected, has_credential=False)
    if data.is_backup_eligible() != stored.backup_eligible:
        raise PasskeyRefused("backup_eligibility_changed")
    signature = from_base64url(
        response.get("signature"), MAX_SIGNATURE, "signature"
    )
    key = from_base64url(stored.public_key, MAX_ATTESTATION, "public_key")
    verify(cose_key(key), raw + digest, signature)
    return Assertion(
        data.counter, data.is_backed_up(), data.is_user_verified()
    )


def _response(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of an answer that the authenticator made."""
    response = answer.get("response")
    if not isinstance(response, dict):
        raise PasskeyRefused("response")
    return response


def _client_data(
    response: Mapping[str, Any],
) -> tuple[bytes, Mapping[str, Any]]:
    """Return what the browser says of the request, as bytes and parsed."""
    raw = from_base64url(
        response.get("clientDataJSON"), MAX_CLIENT_DATA, "client_data"
    )
    try:
        data = json.loads(raw.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise PasskeyRefused("client_data") from None
    if not isinstance(data, dict):
        raise PasskeyRefused("client_data")
    return raw, data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise `ValueError` if a key is repeated."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def _check_client_data(
    response: Mapping[str, Any], type: str, expected: Expected
) -> bytes:
    """Check what the browser says of the request; return its SHA-256."""
    raw, data = _client_data(response)
    if data.get("type") != type:
        raise PasskeyRefused("type")
    challenge = data.get("challenge")
    if not isinstance(challenge, str) or not hmac.compare_digest(
        challenge.encode("utf-8", "replace"), expected.challenge.encode()
    ):
        raise PasskeyRefused("challenge")
    if data.get("origin") not in expected.origins:
        raise PasskeyRefused("origin")
    # In a frame of another site the user does not see whom they sign in to.
    if data.get("crossOrigin", False) is not False or "topOrigin" in data:
        raise PasskeyRefused("cross_origin")
    return hashlib.sha256(raw).digest()


def _authenticator_data(raw: bytes) -> Any:
    """Return the parsed authenticator data, whose CBOR is unambiguous."""
    from fido2.webauthn import AuthenticatorData

    if len(raw) < 37:
        raise PasskeyRefused("authenticator_data")
    flags, at = raw[32], 37
    if flags & AuthenticatorData.FLAG.AT:
        at += 18
        at += int.from_bytes(raw[53:55])
        # The key, a map.
        if not is_map(raw, at):
            raise PasskeyRefused("public_key")
        at = check_cbor(raw, at)
    if flags & AuthenticatorData.FLAG.ED:
        if not is_map(raw, at):
            raise PasskeyRefused("extensions")
        at = check_cbor(raw, at)
    if at != len(raw):
        raise PasskeyRefused("authenticator_data")
    try:
        return AuthenticatorData(raw)
    except (ValueError, TypeError, KeyError, IndexError):
        raise PasskeyRefused("authenticator_data") from None


def _check_flags(data: Any, expected: Expected, has_credential: bool) -> None:
    """Check the RP ID and the flags of authenticator data."""
    digest = hashlib.sha256(expected.rp_id.encode()).digest()
    if not hmac.compare_digest(data.rp_id_hash, digest):
        raise PasskeyRefused("rp_id")
    if not data.is_user_present():
        raise PasskeyRefused("user_presence")
    if expected.needs_user_verification and not data.is_user_verified():
        raise PasskeyRefused("user_verification")
    if data.is_backed_up() and not data.is_backup_eligible():
        raise PasskeyRefused("backup_state")
    if data.is_attested() != has_credential:
        raise PasskeyRefused("attested_data")


def _attested(raw: bytes, digest: bytes) -> tuple[Any, str]:
    """Return the authenticator data and the key of an attestation object.

    No attestation is asked for. Some authenticators sign with the new key
    itself all the same, which is checked and says nothing more.
    """
    from fido2 import cbor

    try:
        found = cbor.decode(raw)
    except (ValueError, TypeError, KeyError, IndexError):
        raise PasskeyRefused("cbor") from None
    if not isinstance(found, Mapping) or set(found) != {
        "fmt",
        "attStmt",
        "authData",
    }:
        raise PasskeyRefused("attestation")
    statement, raw_data = found["attStmt"], found["authData"]
    if not isinstance(raw_data, bytes) or not isinstance(statement, Mapping):
        raise PasskeyRefused("attestation")
    data = _authenticator_data(raw_data)
    if data.credential_data is None:
        raise PasskeyRefused("attested_data")
    start = 55 + len(data.credential_data.credential_id)
    end = check_cbor(raw_data, start)
    stored = raw_data[start:end]
    key = cose_key(stored)
    if (found["fmt"], statement) == ("none", {}):
        load(key)
        return data, to_base64url(stored)
    if found["fmt"] != "packed" or set(statement) != {"alg", "sig"}:
        raise PasskeyRefused("attestation")
    signature = statement["sig"]
    if statement["alg"] != key[3] or not isinstance(signature, bytes):
        raise PasskeyRefused("attestation")
    verify(key, raw_data + digest, signature)
    return data, to_base64url(stored)

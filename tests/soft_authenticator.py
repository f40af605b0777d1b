#!/usr/bin/env python3
"""An authenticator in software, which makes and uses passkeys.

It answers the options of the API as a browser with an authenticator does
(WebAuthn 3, 6). Each part of an answer can be replaced before the rest is
made of it, so that a test can send a faulty one with a right signature.
"""

import base64
import hashlib
import json
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
)

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
ORIGIN, RP_ID = "http://localhost", "localhost"
ES256, EDDSA, RS256 = -7, -8, -257


def encoded(raw: bytes) -> str:
    """Return Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return the bytes of Base64url without padding."""
    return base64.urlsafe_b64decode(text + "==")


def head(kind: int, value: int) -> bytes:
    """Return the head of a CBOR item (RFC 8949, 3)."""
    if value < 24:
        return bytes([kind << 5 | value])
    size = 0 if value < 1 << 8 else 1 if value < 1 << 16 else 2
    return bytes([kind << 5 | 24 + size]) + value.to_bytes(1 << size)


def cbor(value: Any) -> bytes:
    """Return a value as CBOR; a list of pairs is a map, as it stands."""
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    pairs = b"".join(cbor(key) + cbor(one) for key, one in value)
    return head(5, len(value)) + pairs


@dataclass
class SoftAuthenticator:
    """One passkey, and the device that it is on."""

    algorithm: int = ES256
    flags: int = UP | UV
    count: int = 0
    origin: str = ORIGIN
    rp_id: str = RP_ID
    credential_id: bytes = field(
        default_factory=lambda: secrets.token_bytes(32)
    )
    handle: str = ""
    #: Parts that replace those which the device would make.
    client_data: dict[str, Any] = field(default_factory=dict)
    key: Any = None

    def __post_init__(self) -> None:
        """Make the key."""
        if self.key is None:
            makers: dict[int, Callable[[], Any]] = {
                ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
                EDDSA: ed25519.Ed25519PrivateKey.generate,
                RS256: lambda: rsa.generate_private_key(65_537, 2_048),
            }
            self.key = makers[self.algorithm]()

    def cose_key(self) -> dict[int, Any]:
        """Return the public key as COSE has it (RFC 9052, 7)."""
        key = self.key.public_key()
        if self.algorithm == EDDSA:
            return {1: 1, 3: EDDSA, -1: 6, -2: key.public_bytes_raw()}
        numbers = key.public_numbers()
        if self.algorithm == RS256:
            modulus = numbers.n.to_bytes(256)
            return {1: 3, 3: RS256, -1: modulus, -2: b"\x01\x00\x01"}
        x, y = numbers.x.to_bytes(32), numbers.y.to_bytes(32)
        return {1: 2, 3: ES256, -1: 1, -2: x, -3: y}

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        if self.algorithm == EDDSA:
            signed: bytes = self.key.sign(message)
        elif self.algorithm == RS256:
            signed = self.key.sign(
                message, padding.PKCS1v15(), hashes.SHA256()
            )
        else:
            signed = self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        return signed

    def attested(self) -> bytes:
        """Return the id and the key of the passkey, for its registration."""
        size = struct.pack(">H", len(self.credential_id))
        return bytes(16) + size + self.credential_id + cbor(self.cose_key())

    def data(self, extra: int = 0, rest: bytes = b"") -> bytes:
        """Return the authenticator data."""
        digest = hashlib.sha256(self.rp_id.encode()).digest()
        return (
            digest + struct.pack(">BI", self.flags | extra, self.count) + rest
        )

    def create(
        self, options: dict[str, Any], attestation: bytes | None = None
    ) -> dict[str, Any]:
        """Answer the options of a registration."""
        self.handle = options["user"]["id"]
        if attestation is None:
            data = self.data(AT, self.attested())
            attestation = cbor(
                {"fmt": "none", "attStmt": {}, "authData": data}
            )
        return self._answer(
            clientDataJSON=self._client(options, "webauthn.create"),
            attestationObject=encoded(attestation),
            transports=["internal", "hybrid"],
        )

    def get(
        self, options: dict[str, Any], data: bytes | None = None
    ) -> dict[str, Any]:
        """Answer the options of a request; the count grows."""
        self.count += 1
        data = self.data() if data is None else data
        client = self._client(options, "webauthn.get")
        digest = hashlib.sha256(decoded(client)).digest()
        return self._answer(
            clientDataJSON=client,
            authenticatorData=encoded(data),
            signature=encoded(self.sign(data + digest)),
            userHandle=self.handle,
        )

    def _client(self, options: dict[str, Any], type: str) -> str:
        """Return what the browser says of the request."""
        known = {
            "type": type,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": False,
        }
        return encoded(json.dumps(known | self.client_data).encode())

    def _answer(self, **response: Any) -> dict[str, Any]:
        """Return an answer as browsers send it."""
        id = encoded(self.credential_id)
        return {
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }

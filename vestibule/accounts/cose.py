#!/usr/bin/env python3
"""The encodings of passkeys: Base64url, CBOR and COSE keys, read strictly.

The library `fido2` checks signatures. Its CBOR reader accepts truncated,
deep and ambiguous data, so `check_cbor` reads everything first. The library
is loaded only when a passkey is used.
"""

import base64
import binascii
from typing import Any

from vestibule.core.errors import PasskeyRefused

#: COSE algorithms: Ed25519, ECDSA with P-256, and RSA of PKCS 1 v1.5.
ALGORITHMS = (-8, -7, -257)
#: Nesting of CBOR: CTAP 2.2, 8 allows four levels.
MAX_CBOR_DEPTH = 4
#: Bits of an RSA key.
MIN_RSA_BITS, MAX_RSA_BITS = 2_048, 4_096
_ED25519_KEY = {1: 1, 3: -8, -1: 6}
_P256_KEY = {1: 2, 3: -7, -1: 1}


def to_base64url(raw: bytes) -> str:
    """Return bytes as Base64url without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: Any, limit: int, name: str) -> bytes:
    """Return the bytes of Base64url without padding, at most `limit`.

    There is one text for each value, so that ids can be compared as texts.
    """
    if not isinstance(text, str) or not text.isascii():
        raise PasskeyRefused(name)
    if len(text) > limit * 4 // 3 + 4:
        raise PasskeyRefused(f"{name}_too_long")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", True)
    except (binascii.Error, ValueError):
        raise PasskeyRefused(name) from None
    if to_base64url(raw) != text:
        raise PasskeyRefused(name)
    if len(raw) > limit:
        raise PasskeyRefused(f"{name}_too_long")
    return raw


def check_cbor(
    data: bytes, start: int = 0, depth: int = MAX_CBOR_DEPTH
) -> int:
    """Return the end of the CBOR item at `start`; refuse what is ambiguous.

    The item must have the canonical form of CTAP 2.2, 8, but for the order
    of keys: no indefinite or needlessly long lengths, no tags, no floats,
    no duplicate keys, at most `depth` levels.
    """
    kind, value, at = _cbor_head(data, start)
    if kind in (2, 3):
        at += value
        if at > len(data):
            raise PasskeyRefused("cbor")
        return at
    if kind not in (4, 5):
        return at
    if depth == 0:
        raise PasskeyRefused("cbor_depth")
    keys: set[bytes] = set()
    # Each item has at least one byte, so a wrong length ends soon.
    for _ in range(value):
        begin = at
        at = check_cbor(data, at, depth - 1)
        if kind == 4:
            continue
        if data[begin] >> 5 > 3 or data[begin:at] in keys:
            raise PasskeyRefused("cbor_key")
        keys.add(data[begin:at])
        at = check_cbor(data, at, depth - 1)
    return at


def is_map(data: bytes, at: int) -> bool:
    """Return True if a map begins at `at`."""
    return at < len(data) and data[at] >> 5 == 5


def _cbor_head(data: bytes, start: int) -> tuple[int, int, int]:
    """Return the major type and the value at `start`, and where they end."""
    if start >= len(data):
        raise PasskeyRefused("cbor")
    kind, short = data[start] >> 5, data[start] & 0x1F
    at = start + 1
    if kind == 6 or (kind == 7 and short not in (20, 21)):
        # A tag, or another simple value than false and true.
        raise PasskeyRefused("cbor")
    if kind == 7 or short < 24:
        return kind, short, at
    if short > 27:
        raise PasskeyRefused("cbor")
    size = 1 << (short - 24)
    end = at + size
    value = int.from_bytes(data[at:end])
    smallest = (24, 1 << 8, 1 << 16, 1 << 32)[short - 24]
    if end > len(data) or value < smallest:
        raise PasskeyRefused("cbor")
    return kind, value, end


def cose_key(raw: bytes) -> Any:
    """Return a public key; refuse one that is not of `ALGORITHMS`."""
    from fido2 import cbor
    from fido2.cose import CoseKey

    try:
        found = cbor.decode(raw)
    except (ValueError, TypeError, KeyError, IndexError):
        raise PasskeyRefused("public_key") from None
    if not isinstance(found, dict) or found.get(3) not in ALGORITHMS:
        raise PasskeyRefused("algorithm")
    sizes = {
        name: len(value)
        for name, value in found.items()
        if isinstance(value, bytes)
    }
    rest = {name: found[name] for name in found if name not in sizes}
    if (rest, sizes) in (
        (_ED25519_KEY, {-2: 32}),
        (_P256_KEY, {-2: 32, -3: 32}),
    ):
        return CoseKey.parse(found)
    if rest != {1: 3, 3: -257} or set(sizes) != {-1, -2}:
        raise PasskeyRefused("public_key")
    bits = int.from_bytes(found[-1]).bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS or sizes[-2] > 4:
        raise PasskeyRefused("public_key")
    return CoseKey.parse(found)


def load(key: Any) -> None:
    """Refuse a key that is of no curve, or otherwise cannot be used.

    The library loads a key only to check a signature; this one is wrong.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(b"", b"")
    except InvalidSignature:
        return
    except Exception:  # The library's errors are of many types.
        raise PasskeyRefused("public_key") from None


def verify(key: Any, message: bytes, signature: bytes) -> None:
    """Refuse a signature that is not one of the message by the key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(message, signature)
    except (InvalidSignature, ValueError, TypeError):
        raise PasskeyRefused("signature") from None

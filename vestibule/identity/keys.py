#!/usr/bin/env python3
"""The keys that sign identities: which one signs, which are published.

Its law: a key is published before it signs and after it signed, for long
enough that no application with a copy of the public keys, as old as they
may be, meets a signature that it cannot check.
"""

import base64
import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from vestibule.core import clock, settings
from vestibule.core.errors import ConfigurationError
from vestibule.db import signing_keys
from vestibule.db.signing_keys import StoredKey
from vestibule.identity.header import COPY_MAX_AGE

#: How long workers go on with the keys they have read from the database.
KEY_REREAD_INTERVAL = timedelta(seconds=30)
#: How long a key is published before it signs, and after another signs.
KEY_OVERLAP = COPY_MAX_AGE + 2 * KEY_REREAD_INTERVAL


@dataclass(frozen=True)
class Key:
    """A private key with the name that signatures call it by."""

    id: str
    created_at: datetime
    private: Ed25519PrivateKey = field(repr=False)

    def public(self) -> dict[str, str]:
        """Return the public half as a JSON Web Key (RFC 7517, RFC 8037)."""
        return {
            **_public_members(self.private),
            "alg": "EdDSA",
            "kid": self.id,
            "use": "sig",
        }


def new_key(now: datetime) -> StoredKey:
    """Return a new key, to be stored."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return StoredKey(_thumbprint(private), now, pem.decode("ascii"))


def private_key_of(pem: str) -> Ed25519PrivateKey:
    """Return the Ed25519 key of a PKCS 8 text; raise `ValueError` if none."""
    try:
        private = load_pem_private_key(pem.encode("utf-8"), None)
    except (TypeError, ValueError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("must be an Ed25519 private key in PEM form")
    return private


def signing(keys: Sequence[Key], now: datetime) -> Key:
    """Return which of `keys`, oldest first, signs at `now`.

    The newest that everybody has had the time to learn of, or the oldest
    if there is none such.
    """
    known = [key for key in keys if key.created_at + KEY_OVERLAP <= now]
    return known[-1] if known else keys[0]


def published(keys: Sequence[Key], now: datetime) -> list[Key]:
    """Return which of `keys`, oldest first, applications may need at `now`.

    A key that was superseded before the overlap began signs nothing that
    anybody still accepts.
    """
    return [
        key
        for place, key in enumerate(keys)
        if not any(
            later.created_at + 2 * KEY_OVERLAP <= now
            for later in keys[place:][1:]
        )
    ]


class KeyRing:
    """The keys of this installation, read again now and then."""

    def __init__(self) -> None:
        """Check a given key; raise `ConfigurationError` if it is bad."""
        _given()
        self._keys: list[Key] = []
        self._read_at: datetime | None = None
        self._reading = threading.Lock()

    def signing(self) -> Key:
        """Return the key that signs now; raise as the database does."""
        return signing(self._known(), clock.now())

    def published(self) -> list[Key]:
        """Return the keys whose public halves are published now."""
        return published(self._known(), clock.now())

    def _known(self) -> list[Key]:
        """Return the keys, at most `REREAD` old; make the first of all."""
        now = clock.now()
        if self._is_fresh(now):
            return self._keys
        with self._reading:
            if not self._is_fresh(now):
                self._keys = _given() or _opened(
                    signing_keys.all_keys()
                    or signing_keys.ensure_one(lambda: new_key(now))
                )
                self._read_at = now
            return self._keys

    def _is_fresh(self, now: datetime) -> bool:
        """Tell whether what is known may be used at `now`."""
        read_at = self._read_at
        return (
            read_at is not None
            and read_at <= now < read_at + KEY_REREAD_INTERVAL
        )


class KeyState(NamedTuple):
    """What may be told of a key."""

    id: str
    #: `None` for a key that is given: only who gave it knows.
    since: datetime | None
    signs: bool
    published: bool


def key_states() -> list[KeyState]:
    """Return how the keys stand, oldest first; make none.

    Raise as the database does.
    """
    now = clock.now()
    if given := _given():
        return [KeyState(given[0].id, None, True, True)]
    keys = _opened(signing_keys.all_keys())
    return [
        KeyState(
            key.id,
            key.created_at,
            key is signing(keys, now),
            key in published(keys, now),
        )
        for key in keys
    ]


def rotate(at_once: bool) -> str:
    """Store a new key and return its id; drop those that nobody needs.

    It signs after `OVERLAP`; `at_once` drops all others, for the case that
    somebody has got hold of them: what they signed is refused as soon as
    applications fetch the keys again. Raise `BadSetting` where the key is
    given by `IDENTITY_SIGNING_KEY`.
    """
    if settings.IDENTITY_SIGNING_KEY.read() is not None:
        raise ConfigurationError(
            "IDENTITY_SIGNING_KEY", "is set: change the key there"
        )
    now = clock.now()
    keys = _opened(signing_keys.all_keys())
    kept = [] if at_once else [key.id for key in published(keys, now)]
    new = new_key(now)
    signing_keys.replace(new, [key.id for key in keys if key.id not in kept])
    return new.id


def _opened(stored: Iterable[StoredKey]) -> list[Key]:
    """Return `stored` keys as what signs."""
    return [
        Key(key.id, key.created_at, private_key_of(key.private_key))
        for key in stored
    ]


def _given() -> list[Key]:
    """Return the key that a setting gives, alone, or nothing.

    Raise `BadSetting` if it is no Ed25519 key.
    """
    pem = settings.IDENTITY_SIGNING_KEY.read()
    if pem is None:
        return []
    try:
        private = private_key_of(pem)
    except ValueError as error:
        raise ConfigurationError("IDENTITY_SIGNING_KEY", str(error)) from None
    return [Key(_thumbprint(private), clock.now(), private)]


def _public_members(private: Ed25519PrivateKey) -> dict[str, str]:
    """Return what a JSON Web Key of the public half must have."""
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}


def _thumbprint(private: Ed25519PrivateKey) -> str:
    """Return the name of a key: its thumbprint (RFC 7638)."""
    members: Any = _public_members(private)
    canonical = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    return _base64url(hashlib.sha256(canonical).digest())


def _base64url(raw: bytes) -> str:
    """Return `raw` in the alphabet of JOSE, without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")

#!/usr/bin/env python3
"""The keys that sign identities, and the tokens (RFC 7519) signed by them.

A key is published before it signs and after it stops signing, long enough
that no application with an old copy of the public keys meets a signature
that it cannot check. A token is for one application and valid for one
minute. It is reused while most of that minute is left, because signing takes
longer than all the rest of the response.
"""

import base64
import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import jwt
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

from vestibule.core import access_settings, clock, settings
from vestibule.core.errors import ConfigurationError, ServiceBusy
from vestibule.db import stored_secrets
from vestibule.db.stored_secrets import StoredSigningKey
from vestibule.identity.header import (
    ALGORITHM,
    COPY_MAX_AGE,
    ISSUER,
    TOKEN_LIFETIME,
    Identity,
    facts_claims,
)

#: How long a worker uses the keys that it has read from the database.
KEY_REREAD_INTERVAL = timedelta(seconds=30)
#: How long a key is published before it signs, and after another does.
KEY_OVERLAP = COPY_MAX_AGE + 2 * KEY_REREAD_INTERVAL
#: How long a token is reused; the rest of its minute allows for the network
#: and for clocks that differ.
REUSE_TIME = timedelta(seconds=45)
#: Tokens that are kept for reuse; each has some hundred bytes.
MAX_CACHED_TOKENS = 10_000


@dataclass(frozen=True)
class Key:
    """A private key with its key id (`kid`)."""

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


def new_key(now: datetime) -> StoredSigningKey:
    """Return a new key in the form in which it is stored."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return StoredSigningKey(_thumbprint(private), now, pem.decode("ascii"))


def parse_private_key(pem: str) -> Ed25519PrivateKey:
    """Return the Ed25519 key of a PKCS 8 text.

    Raise `ValueError` if it is not one.
    """
    try:
        private = load_pem_private_key(pem.encode("utf-8"), None)
    except (TypeError, ValueError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("must be an Ed25519 private key in PEM form")
    return private


def select_signing_key(keys: Sequence[Key], now: datetime) -> Key:
    """Return the key that signs at `now`, of `keys`, oldest first.

    It is the newest key that every application has had time to fetch, or
    the oldest if there is none.
    """
    known = [key for key in keys if key.created_at + KEY_OVERLAP <= now]
    return known[-1] if known else keys[0]


def select_published_keys(keys: Sequence[Key], now: datetime) -> list[Key]:
    """Return the keys that applications may need at `now`, oldest first.

    A key that was replaced before the overlap began has signed no token
    that is still valid.
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
    """The keys of this installation, read again at intervals."""

    def __init__(self) -> None:
        """Check a configured key; raise `ConfigurationError` if it is bad."""
        _configured_keys()
        self._keys: list[Key] = []
        self._read_at: datetime | None = None
        self._reading = threading.Lock()

    def signing(self) -> Key:
        """Return the key that signs now; raise as the database does."""
        return select_signing_key(self._known(), clock.now())

    def published(self) -> list[Key]:
        """Return the keys whose public halves are published now."""
        return select_published_keys(self._known(), clock.now())

    def _known(self) -> list[Key]:
        """Return the keys; read them if they are due, create the first."""
        now = clock.now()
        if self._is_fresh(now):
            return self._keys
        # While the database hangs, each thread waits for it only once.
        limit = settings.DATABASE_TIMEOUT.read() / 1000
        if not self._reading.acquire(timeout=limit):
            raise ServiceBusy("another request reads the signing keys")
        try:
            if not self._is_fresh(now):
                self._keys = _configured_keys() or _load_keys(
                    stored_secrets.stored_signing_keys()
                    or stored_secrets.ensure_signing_key(lambda: new_key(now))
                )
                self._read_at = now
            return self._keys
        finally:
            self._reading.release()

    def _is_fresh(self, now: datetime) -> bool:
        """Return True if the keys need not be read again at `now`."""
        read_at = self._read_at
        return (
            read_at is not None
            and read_at <= now < read_at + KEY_REREAD_INTERVAL
        )


class KeyState(NamedTuple):
    """The public facts about a key."""

    id: str
    #: `None` for a configured key, whose age is unknown.
    since: datetime | None
    signs: bool
    published: bool


def key_states() -> list[KeyState]:
    """Return the state of each key, oldest first; create none.

    Raise as the database does.
    """
    now = clock.now()
    if given := _configured_keys():
        return [KeyState(given[0].id, None, True, True)]
    keys = _load_keys(stored_secrets.stored_signing_keys())
    return [
        KeyState(
            key.id,
            key.created_at,
            key is select_signing_key(keys, now),
            key in select_published_keys(keys, now),
        )
        for key in keys
    ]


def rotate(at_once: bool) -> str:
    """Store a new key and return its id; delete keys that have expired.

    The new key signs after `KEY_OVERLAP`. `at_once` deletes all others,
    for keys that were stolen: applications reject what these signed as
    soon as they fetch the keys again. Raise `ConfigurationError` if
    IDENTITY_SIGNING_KEY is set.
    """
    if access_settings.IDENTITY_SIGNING_KEY.read() is not None:
        raise ConfigurationError(
            "IDENTITY_SIGNING_KEY", "is set: change the key there"
        )
    now = clock.now()
    keys = _load_keys(stored_secrets.stored_signing_keys())
    kept = (
        [] if at_once else [key.id for key in select_published_keys(keys, now)]
    )
    new = new_key(now)
    stored_secrets.replace_signing_keys(
        new, [key.id for key in keys if key.id not in kept]
    )
    return new.id


def _load_keys(stored: Iterable[StoredSigningKey]) -> list[Key]:
    """Return `stored` keys as keys that can sign."""
    return [
        Key(key.id, key.created_at, parse_private_key(key.private_key))
        for key in stored
    ]


def _configured_keys() -> list[Key]:
    """Return the key of IDENTITY_SIGNING_KEY, or no key.

    Raise `ConfigurationError` if it is not an Ed25519 key.
    """
    pem = access_settings.IDENTITY_SIGNING_KEY.read()
    if pem is None:
        return []
    try:
        private = parse_private_key(pem)
    except ValueError as error:
        raise ConfigurationError("IDENTITY_SIGNING_KEY", str(error)) from None
    return [Key(_thumbprint(private), clock.now(), private)]


def _public_members(private: Ed25519PrivateKey) -> dict[str, str]:
    """Return the required members of the public JSON Web Key."""
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}


def _thumbprint(private: Ed25519PrivateKey) -> str:
    """Return the id of a key: its thumbprint (RFC 7638)."""
    members: Any = _public_members(private)
    canonical = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    return _base64url(hashlib.sha256(canonical).digest())


def _base64url(raw: bytes) -> str:
    """Return `raw` in base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


class Signer:
    """Signs identities, and reuses a token while it is fresh."""

    def __init__(self, ring: KeyRing) -> None:
        """Sign with the keys of `ring`."""
        self._ring = ring
        self._tokens: dict[Identity, tuple[datetime, str]] = {}

    def token(self, identity: Identity) -> str:
        """Return a token of `identity`; raise as the database does."""
        now = clock.now()
        cached = self._tokens.get(identity)
        if cached is not None and cached[0] <= now < cached[0] + REUSE_TIME:
            return cached[1]
        token = self._signed(identity, now)
        if len(self._tokens) >= MAX_CACHED_TOKENS:
            # All are dropped, because finding the oldest costs more than
            # signing again.
            self._tokens.clear()
        self._tokens[identity] = now, token
        return token

    def public_keys(self) -> list[dict[str, str]]:
        """Return the keys that check tokens, as JSON Web Keys."""
        return [key.public() for key in self._ring.published()]

    def _signed(self, identity: Identity, now: datetime) -> str:
        """Return a new token, issued `now`."""
        key = self._ring.signing()
        return jwt.encode(
            {
                **facts_claims(identity),
                "iss": ISSUER,
                "sub": identity.subject,
                "aud": identity.audience,
                "iat": now,
                "exp": now + TOKEN_LIFETIME,
                "email": identity.email,
                # As in OpenID Connect, 5.1.
                "email_verified": identity.is_verified,
                "role": identity.role,
            },
            key.private,
            algorithm=ALGORITHM,
            headers={"kid": key.id},
        )

#!/usr/bin/env python3
"""Secrets: digests, codes that a person types once, and encryption.

A session id leaves this process in the cookie only; the database and the
caches store its digest (OWASP ASVS 5.0, 7.2 and 11.4). A code is stored as
a digest too. Case, separators and characters that look alike do not matter
when it is typed.

A digest suffices for a password or a code, but not for the seed of an
authenticator app. Such a value is stored encrypted by AES-256-GCM (NIST SP
800-38D) with a random nonce of 96 bits. The keys are outside the database,
in `SECRETS_KEY` or `SECRETS_KEY_FILE`: the first one encrypts, and all of
them decrypt. The place of the value, its table, column and row, is
authenticated too, so a value that was copied to another row is refused.

Neither a key nor a clear text is part of an error, a log line or a `repr`.
"""

import base64
import binascii
import hashlib
import json
import secrets
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from vestibule.core import access_settings
from vestibule.core.errors import ConfigurationError, VestibuleError

# Digits and capitals without those that look like others (Crockford's
# Base32): each group of 4 has 20 random bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUP_LENGTH = 4
_LOOKALIKES = str.maketrans("OIL", "011", "- \t")
#: Bytes of a key of AES-256, and of a nonce.
KEY_BYTES = 32
NONCE_BYTES = 12
#: Bytes of a key file; a longer one has something else.
MAX_KEY_FILE_BYTES = 65_536
#: Keys of one ring; each rotation adds one, and old ones can be removed.
MAX_KEYS = 100
#: The scheme that a stored value begins with.
_SCHEME = "k1"


def digest_of(secret: str) -> str:
    """Return the SHA-256 of `secret` as 64 lower-case hex digits.

    A fast hash is enough, because the secrets are random (at least 122
    bits) and cannot be guessed. A lone surrogate, which no id contains, is
    hashed too: the look-up then finds nothing instead of failing.
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_code(groups: int) -> str:
    """Return a random code of `groups` groups of 4, joined by hyphens."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(GROUP_LENGTH))
        for _ in range(groups)
    )


def digest_of_code(typed: str) -> str:
    """Return the digest of a code, however it was typed."""
    return digest_of(typed.upper().translate(_LOOKALIKES))


class DecryptionFailed(VestibuleError):
    """A stored secret cannot be decrypted."""

    code = "decryption_failed"


class Place(NamedTuple):
    """Where an encrypted value is stored."""

    table: str
    column: str
    row_id: str

    def authenticated_data(self) -> bytes:
        """Return the place as bytes that no other place has."""
        return json.dumps(list(self)).encode()


class Key:
    """A key with its id, which is derived from it and is not secret."""

    def __init__(self, raw: bytes) -> None:
        """Take a key of `KEY_BYTES`."""
        self._raw = raw
        # 48 bits tell the keys of a ring apart and reveal nothing of them.
        self.id = hashlib.sha256(b"vestibule key id" + raw).hexdigest()[:12]

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"Key({self.id})"

    def encrypt(self, nonce: bytes, clear: bytes, data: bytes) -> bytes:
        """Return `clear` encrypted, with its tag of 16 bytes."""
        # Imported here, because it takes time that only users need who have
        # a second factor.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._raw).encrypt(nonce, clear, data)

    def decrypt(self, nonce: bytes, sealed: bytes, data: bytes) -> bytes:
        """Return the clear text; raise `DecryptionFailed`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._raw).decrypt(nonce, sealed, data)
        except (InvalidTag, ValueError):
            raise DecryptionFailed(
                "a stored secret was changed, or belongs to another row"
            ) from None


class KeyRing:
    """The keys of this installation; the first one encrypts."""

    def __init__(self, keys: list[Key]) -> None:
        """Take the keys in their order; there is at least one."""
        self._by_id = {key.id: key for key in keys}
        self._first = keys[0]

    def __repr__(self) -> str:
        """Show the ids alone."""
        return f"KeyRing({', '.join(self._by_id)})"

    @property
    def key_ids(self) -> list[str]:
        """Return the ids of the keys; the first one's key encrypts."""
        return list(self._by_id)

    def encrypt(self, clear: bytes, place: Place) -> str:
        """Return `clear` encrypted for `place`, as text with the key's id."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._first.encrypt(nonce, clear, place.authenticated_data())
        encoded = base64.urlsafe_b64encode(nonce + sealed).decode()
        return f"{_SCHEME}.{self._first.id}.{encoded}"

    def decrypt(self, stored: str, place: Place) -> bytes:
        """Return the clear text of a value that is stored at `place`.

        Raise `DecryptionFailed` if no key of the ring encrypted it for this
        place.
        """
        scheme, _, rest = stored.partition(".")
        key_id, _, encoded = rest.partition(".")
        if scheme != _SCHEME:
            raise DecryptionFailed("a stored secret has an unknown form")
        key = self._by_id.get(key_id)
        if key is None:
            # The id comes from the database, so it may be any text.
            raise DecryptionFailed(
                f"no key of SECRETS_KEY has the id {key_id[:12]!a} of a"
                " stored secret"
            )
        try:
            raw = base64.b64decode(encoded, b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise DecryptionFailed(
                "a stored secret has an unknown form"
            ) from None
        return key.decrypt(
            raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.authenticated_data()
        )

    @property
    def current_prefix(self) -> str:
        """Return how each value begins that the first key encrypted."""
        return f"{_SCHEME}.{self._first.id}."


def key_id_of(stored: str) -> str:
    """Return the id of the key that encrypted a stored value."""
    return stored.split(".", 2)[1] if stored.count(".") == 2 else ""


def new_key() -> str:
    """Return a new random key in the form of the setting."""
    raw = secrets.token_bytes(KEY_BYTES)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_ring() -> KeyRing:
    """Return the ring of the settings.

    A key file is read once; a server that should use a changed one is
    restarted. Raise `ConfigurationError` if there is no key, or one of them
    is invalid.
    """
    text = access_settings.SECRETS_KEY.text()
    path = access_settings.SECRETS_KEY_FILE.text()
    if text and path:
        raise ConfigurationError(
            "SECRETS_KEY_FILE", "must be unset while SECRETS_KEY is set"
        )
    if text:
        return _ring_of_text(text)
    if path:
        return _ring_of_file(path)
    raise ConfigurationError(
        "SECRETS_KEY",
        "must be set, or SECRETS_KEY_FILE, because second factors are stored"
        " encrypted; `vestibule secrets new` makes a key",
    )


def forget_keys() -> None:
    """Read a key file again at the next use."""
    _ring_of_text.cache_clear()
    _ring_of_file.cache_clear()


def parse_keys(text: str, name: str) -> list[Key]:
    """Return the keys of `text`, which blanks, lines or commas separate.

    A line that begins with `#` is a comment. Raise `ConfigurationError`
    with the `name` of the setting and the number of the key.
    """
    lines = [line for line in text.split("\n") if not _is_comment(line)]
    keys: dict[str, Key] = {}
    for number, word in enumerate(" ".join(lines).replace(",", " ").split()):
        key = Key(_parse_key(word, f"{name}, key {number + 1}"))
        keys.setdefault(key.id, key)
    if not 0 < len(keys) <= MAX_KEYS:
        raise ConfigurationError(name, f"must have 1 to {MAX_KEYS} keys")
    return list(keys.values())


def _is_comment(line: str) -> bool:
    """Return True if a line of a key file is a comment."""
    return line.lstrip().startswith("#")


def _parse_key(word: str, name: str) -> bytes:
    """Return the bytes of a key; raise `ConfigurationError` without it."""
    try:
        padded = word + "=" * (-len(word) % 4)
        raw = base64.b64decode(padded, b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ConfigurationError(
            name, f"must be {KEY_BYTES} random bytes in base64url"
        )
    return raw


@lru_cache(maxsize=4)
def _ring_of_text(text: str) -> KeyRing:
    """Return the ring of the keys in `text`."""
    return KeyRing(parse_keys(text, "SECRETS_KEY"))


@lru_cache(maxsize=4)
def _ring_of_file(path: str) -> KeyRing:
    """Return the ring of the keys in a file."""
    return KeyRing(parse_keys(read_key_file(path), "SECRETS_KEY_FILE"))


def read_key_file(path: str) -> str:
    """Return the text of a key file; raise `ConfigurationError`."""
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_KEY_FILE_BYTES + 1)
        if len(raw) > MAX_KEY_FILE_BYTES:
            raise ConfigurationError("SECRETS_KEY_FILE", "is too long")
        return raw.decode()
    except OSError as error:
        raise ConfigurationError(
            "SECRETS_KEY_FILE", f"cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            "SECRETS_KEY_FILE", "is not text in UTF-8"
        ) from None

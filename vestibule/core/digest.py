#!/usr/bin/env python3
"""Random secrets: their digests, and codes that a person types once.

A session id leaves this process in the cookie only; the database and the
caches store its digest (OWASP ASVS 5.0, 7.2 and 11.4). A code is stored as
a digest too. Case, separators and characters that look alike do not matter
when it is typed.
"""

import secrets
from hashlib import sha256

# Digits and capitals without those that look like others (Crockford's
# Base32): each group of 4 has 20 random bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUP_LENGTH = 4
_LOOKALIKES = str.maketrans("OIL", "011", "- \t")


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

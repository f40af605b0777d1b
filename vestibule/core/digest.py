#!/usr/bin/env python3
"""The digest of a random secret, which is stored in its place.

A session id leaves this process in the cookie only; the database and the
caches store its digest (OWASP ASVS 5.0, 7.2 and 11.4).
"""

from hashlib import sha256


def digest_of(secret: str) -> str:
    """Return the SHA-256 of `secret` as 64 lower-case hex digits.

    A fast hash is enough, because the secrets are random (at least 122
    bits) and cannot be guessed. No id contains a lone surrogate; it is
    hashed too, so that a look-up finds nothing instead of failing.
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

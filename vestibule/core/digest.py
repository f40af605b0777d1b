#!/usr/bin/env python3
"""How a random secret becomes what may be stored.

Its law: a session id leaves this process only in the cookie; whatever
keeps it otherwise keeps its digest (OWASP ASVS 5.0, 7.2 and 11.4).
"""

from hashlib import sha256


def digest_of(secret: str) -> str:
    """Return the SHA-256 of `secret` as 64 lower-case hex digits.

    A plain hash is enough because session ids are random (122 bits and
    more): there is nothing to guess, so nothing to slow down. A lone
    surrogate cannot be part of an id of ours; it is hashed all the same,
    so that a look-up for it finds nothing instead of failing.
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

#!/usr/bin/env python3
"""Codes that a person reads in one place and types in another, once.

Its law: a code is random and is kept as a digest; how it is typed makes
no difference as long as it can be meant.
"""

import secrets

from vestibule.core.digest import digest_of

# Digits and capitals without those that look like others (Crockford's
# Base32): each group of 4 has 20 random bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_IN_GROUP = 4
_LOOKALIKES = str.maketrans("OIL", "011", "- \t")


def new_code(groups: int) -> str:
    """Return a random code of so many groups, with hyphens between them."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_IN_GROUP))
        for _ in range(groups)
    )


def digest_of_code(typed: str) -> str:
    """Return the digest of a code as people may type it."""
    return digest_of(typed.upper().translate(_LOOKALIKES))

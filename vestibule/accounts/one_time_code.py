#!/usr/bin/env python3
"""Codes that a person reads in one place and types in another, once.

A code is random and is stored as a digest. Case, separators and characters
that look alike do not matter when it is typed."""

import secrets

from vestibule.core.digest import digest_of

# Digits and capitals without those that look like others (Crockford's
# Base32): each group of 4 has 20 random bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP_LENGTH = 4
_LOOKALIKES = str.maketrans("OIL", "011", "- \t")


def new_code(groups: int) -> str:
    """Return a random code of `groups` groups of 4, joined by hyphens."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH))
        for _ in range(groups)
    )


def digest_of_code(typed: str) -> str:
    """Return the digest of a code, however it was typed."""
    return digest_of(typed.upper().translate(_LOOKALIKES))

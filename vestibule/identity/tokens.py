#!/usr/bin/env python3
"""Signed identities: short-lived JSON Web Tokens (RFC 7519).

A token is for one application and valid for one minute. It is reused while
most of that minute is left, because signing takes longer than all the rest
of the response.
"""

from datetime import datetime, timedelta

import jwt

from vestibule.core import clock
from vestibule.identity.header import (
    ALGORITHM,
    ISSUER,
    TOKEN_LIFETIME,
    Identity,
)
from vestibule.identity.keys import KeyRing

#: How long a token is reused; the rest of its minute allows for the network
#: and for clocks that differ.
REUSE_TIME = timedelta(seconds=45)
#: Some hundred bytes each.
MAX_CACHED_TOKENS = 10_000


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
            # All at once: finding the oldest costs more than signing.
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
                "iss": ISSUER,
                "sub": identity.subject,
                "aud": identity.audience,
                "iat": now,
                "exp": now + TOKEN_LIFETIME,
                "email": identity.email,
                "role": identity.role,
            },
            key.private,
            algorithm=ALGORITHM,
            headers={"kid": key.id},
        )

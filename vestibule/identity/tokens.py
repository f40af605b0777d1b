#!/usr/bin/env python3
"""The header of a signed identity, where the settings want one.

Signed identities: short-lived JSON Web Tokens (RFC 7519).

Its law: a token is for one application and one minute. It is signed once
and handed out again while most of its minute is left: a signature takes
longer than all the rest of the answer.
"""

from datetime import datetime, timedelta

import jwt

from vestibule.core import clock
from vestibule.identity.header import ALGORITHM, ISSUER, LIFETIME, Identity
from vestibule.identity.keys import KeyRing

#: How long it is handed out; what is left then is for the way and for
#: clocks that disagree.
REUSE_TIME = timedelta(seconds=45)
#: Tokens that are kept at once: some hundred bytes each.
MAX_CACHED_TOKENS = 10_000


class Signer:
    """Signs identities, each at most once while its token is fresh."""

    def __init__(self, ring: KeyRing) -> None:
        """Sign with the keys of `ring`."""
        self._ring = ring
        self._tokens: dict[Identity, tuple[datetime, str]] = {}

    def token(self, identity: Identity) -> str:
        """Return a token of `identity`; raise as the database does."""
        now = clock.now()
        kept = self._tokens.get(identity)
        if kept is not None and kept[0] <= now < kept[0] + REUSE_TIME:
            return kept[1]
        token = self._signed(identity, now)
        if len(self._tokens) >= MAX_CACHED_TOKENS:
            # All at once: to look for the oldest costs more than to sign.
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
                "exp": now + LIFETIME,
                "email": identity.email,
                "role": identity.role,
            },
            key.private,
            algorithm=ALGORITHM,
            headers={"kid": key.id},
        )

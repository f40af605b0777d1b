#!/usr/bin/env python3
"""The signed identity that a gate sends along, and the keys that check it.

Its law: a token names somebody only if a key that Vestibule publishes now
signed it, for this application, and for this minute; one that was read
before is no exception. Nothing here asks anybody: who fetches the keys
brings them.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import jwt

from vestibule.core import clock
from vestibule.core.errors import VestibuleUnavailable
from vestibule.identity.header import ALGORITHM, COPY_MAX_AGE, ISSUER, LIFETIME
from vestibule.protect.verify_response import Principal

#: Seconds in which the keys are fetched at most once, whatever comes.
RETRY_PAUSE_SECONDS = 10.0
#: Seconds that the clocks of two machines may be apart.
SKEW = 5.0
#: Tokens that are remembered at once: some hundred bytes each.
MAX_CACHED_TOKENS = 10_000
#: Whole seconds: a float cannot be added to each number that JSON has.
_LONGEST = LIFETIME // timedelta(seconds=1)
_CLAIMS = ["iss", "sub", "aud", "iat", "exp", "email", "role"]


class KeyCopy:
    """A copy of the published keys, good for as long as it may be used."""

    def __init__(self) -> None:
        """Have none yet."""
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    def wants(self, kid: str) -> bool:
        """Tell whether the keys are to be fetched, to find the key `kid`.

        Anybody may send the name of a key that there is not.
        """
        now = clock.monotonic()
        if (
            self._tried_at is not None
            and now - self._tried_at < RETRY_PAUSE_SECONDS
        ):
            return False
        return kid not in self._keys or not self._is_fresh(now)

    def tried(self) -> None:
        """Note that a try to fetch them has come to an end."""
        self._tried_at = clock.monotonic()

    def take(self, published: Mapping[str, Any]) -> None:
        """Take the `published` keys (RFC 7517) in place of those before.

        Raise `VestibuleUnavailable` if there are none.
        """
        listed = published.get("keys")
        keys = dict(
            filter(
                None, map(_key_of, listed if isinstance(listed, list) else [])
            )
        )
        if not keys:
            raise VestibuleUnavailable("no keys are published")
        self._keys = keys
        self._fetched_at = clock.monotonic()

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key `kid`, `None` if no such key is published.

        Raise `VestibuleUnavailable` where nobody knows.
        """
        if not self._is_fresh(clock.monotonic()):
            raise VestibuleUnavailable("the keys could not be fetched")
        return self._keys.get(kid)

    def holds(self, key: jwt.PyJWK) -> bool:
        """Tell whether `key` is of this copy, and the copy may be used."""
        return (
            self._is_fresh(clock.monotonic())
            and self._keys.get(key.key_id or "") is key
        )

    def _is_fresh(self, now: float) -> bool:
        """Tell whether the copy may be used at `now`."""
        fetched_at, most = self._fetched_at, COPY_MAX_AGE.total_seconds()
        return fetched_at is not None and now - fetched_at < most


class _Checked(NamedTuple):
    """A token that `key` was found to have signed, and when it counts."""

    key: jwt.PyJWK
    principal: Principal
    issued: float
    expires: float

    def is_current(self) -> bool:
        """Tell whether the token counts now."""
        now = clock.now().timestamp()
        return self.issued <= now + SKEW and now - SKEW < self.expires


class Tokens:
    """Reads the tokens that are for one application."""

    def __init__(self, audience: str) -> None:
        """Take those for the host `audience`, and no others."""
        self._audience = audience.lower()
        self._checked: dict[str, _Checked] = {}

    def recall(self, token: str, keys: KeyCopy) -> Principal | None:
        """Return who a token names that was checked before and counts now.

        A gate sends the same one for most of a minute, and a signature
        takes longer to check than the rest of the request. Its key has to
        be among `keys`: one that was dropped may have been stolen.
        """
        known = self._checked.get(token)
        if known and known.is_current() and keys.holds(known.key):
            return known.principal
        return None

    def check(self, token: str, key: jwt.PyJWK) -> Principal | None:
        """Return who `token` names if `key` signed it, else `None`."""
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=ISSUER,
                # The time is read by our own clock, below.
                options={
                    "require": _CLAIMS,
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            return None
        found = _checked_of(claims, key)
        if found is None or not found.is_current():
            return None
        if len(self._checked) >= MAX_CACHED_TOKENS:
            # All at once: to look for the oldest costs more than to check.
            self._checked.clear()
        self._checked[token] = found
        return found.principal


def kid_of(token: str) -> str | None:
    """Return the name of the key that a token says it is signed by."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        return None
    kid = header.get("kid")
    # Others are refused before a key is looked for.
    return kid if kid and header.get("alg") == ALGORITHM else None


def _key_of(published: Any) -> tuple[str, jwt.PyJWK] | None:
    """Return a published key by its name, `None` for one of other use."""
    if not isinstance(published, dict):
        return None
    kid = published.get("kid")
    if not isinstance(kid, str) or published.get("alg") != ALGORITHM:
        return None
    try:
        return kid, jwt.PyJWK(published, ALGORITHM)
    except jwt.PyJWTError:
        return None


def _checked_of(claims: dict[str, Any], key: jwt.PyJWK) -> _Checked | None:
    """Return what `claims` that `key` signed say.

    `None` if they are of other types, or for longer than a token lives.
    """
    subject, email, role, issued, expires = (
        claims[name] for name in ("sub", "email", "role", "iat", "exp")
    )
    if not all(isinstance(text, str) for text in (subject, email, role)):
        return None
    if not all(type(moment) in (int, float) for moment in (issued, expires)):
        return None
    if not subject or not issued < expires <= issued + _LONGEST:
        return None
    principal = Principal(subject, email or None, role)
    return _Checked(key, principal, issued, expires)

#!/usr/bin/env python3
"""The signed identity of forward authentication, and the keys that check it.

A token identifies a user only if it is signed by a key that Vestibule
publishes now, is for this application, and has not expired. That holds for
cached tokens too. Nothing here sends a request: the backend fetches keys.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import jwt

from vestibule.core import clock
from vestibule.core.errors import InvalidValue, VestibuleUnavailable
from vestibule.identity.header import (
    ALGORITHM,
    COPY_MAX_AGE,
    ISSUER,
    TOKEN_LIFETIME,
)
from vestibule.protect.verify_response import Principal, parse_facts

_log = logging.getLogger(__name__)

#: The application's own host, or several, or `None` for no tokens.
Audience = str | Collection[str] | None
#: Seconds between two attempts to fetch the keys, at least.
RETRY_PAUSE_SECONDS = 10.0
#: Seconds by which the clocks of two machines may differ.
MAX_CLOCK_SKEW_SECONDS = 5.0
#: Seconds between two log lines with the same reason.
REFUSAL_PAUSE_SECONDS = 60.0
#: When a reason may be logged again; there are few different ones.
_refused_until: dict[str, float] = {}
#: Some hundred bytes each.
MAX_CACHED_TOKENS = 10_000
#: Whole seconds: a float cannot be added to every JSON number.
_MAX_LIFETIME_SECONDS = TOKEN_LIFETIME // timedelta(seconds=1)
_REQUIRED_CLAIMS = ["iss", "sub", "aud", "iat", "exp", "email", "role"]


class KeyCache:
    """A copy of the published keys, which expires."""

    def __init__(self) -> None:
        """Begin without keys."""
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    def needs_fetch(self, kid: str) -> bool:
        """Return True if the keys must be fetched to find the key `kid`.

        Attempts are limited, because a client can send any key id.
        """
        now = clock.monotonic()
        if (
            self._tried_at is not None
            and now - self._tried_at < RETRY_PAUSE_SECONDS
        ):
            return False
        return kid not in self._keys or not self._is_fresh(now)

    def record_attempt(self) -> None:
        """Record that an attempt to fetch the keys has ended."""
        self._tried_at = clock.monotonic()

    def replace(self, published: Mapping[str, Any]) -> None:
        """Replace all keys by the `published` ones (RFC 7517).

        Raise `VestibuleUnavailable` if it has no usable key.
        """
        listed = published.get("keys")
        keys = dict(
            filter(
                None,
                map(_parse_key, listed if isinstance(listed, list) else []),
            )
        )
        if not keys:
            raise VestibuleUnavailable("no keys are published")
        self._keys = keys
        self._fetched_at = clock.monotonic()

    def get(self, kid: str) -> jwt.PyJWK | None:
        """Return the key `kid`, `None` if no such key is published.

        Raise `VestibuleUnavailable` if the copy has expired.
        """
        if not self._is_fresh(clock.monotonic()):
            raise VestibuleUnavailable("the signing keys could not be fetched")
        return self._keys.get(kid)

    def contains(self, key: jwt.PyJWK) -> bool:
        """Return True if the copy has this `key` and has not expired."""
        return (
            self._is_fresh(clock.monotonic())
            and self._keys.get(key.key_id or "") is key
        )

    def _is_fresh(self, now: float) -> bool:
        """Return True if the copy may be used at `now`."""
        fetched_at, most = self._fetched_at, COPY_MAX_AGE.total_seconds()
        return fetched_at is not None and now - fetched_at < most


class _VerifiedToken(NamedTuple):
    """A token whose signature by `key` was checked, and its times."""

    key: jwt.PyJWK
    principal: Principal
    issued: float
    expires: float

    def is_current(self) -> bool:
        """Return True if the token is valid now."""
        now = clock.now().timestamp()
        return (
            self.issued <= now + MAX_CLOCK_SKEW_SECONDS
            and now - MAX_CLOCK_SKEW_SECONDS < self.expires
        )


class TokenReader:
    """Verifies the tokens for one application, and caches them."""

    def __init__(self, audience: str | Collection[str]) -> None:
        """Accept tokens for this host only, or for one of several.

        Raise `InvalidValue` if there is none.
        """
        hosts = [audience] if isinstance(audience, str) else list(audience)
        if not hosts or not all(isinstance(h, str) and h for h in hosts):
            raise InvalidValue(
                "audience", "must be one host or more", code="required"
            )
        self._audiences = frozenset(host.lower() for host in hosts)
        self._checked: dict[str, _VerifiedToken] = {}

    def cached_principal(self, token: str, keys: KeyCache) -> Principal | None:
        """Return the user of a token that was verified before.

        The proxy sends the same token for most of a minute, and checking
        a signature takes longer than the rest of the request. The token's
        key must still be among `keys`: a dropped key may be a stolen one.
        """
        known = self._checked.get(token)
        if known and known.is_current() and keys.contains(known.key):
            return known.principal
        return None

    def verify(self, token: str, key: jwt.PyJWK) -> Principal | None:
        """Return the user of `token` if `key` signed it, else `None`.

        The log says why a token is refused, and never has the token.
        """
        found = self._check(token, key)
        if isinstance(found, str):
            _log_refusal(found)
            return None
        if len(self._checked) >= MAX_CACHED_TOKENS:
            # All at once: finding the oldest costs more than verifying.
            self._checked.clear()
        self._checked[token] = found
        return found.principal

    def _check(self, token: str, key: jwt.PyJWK) -> _VerifiedToken | str:
        """Return the token, verified, or why it is refused."""
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # The audience and the times are checked below, the times
                # against our own clock.
                options={
                    "require": _REQUIRED_CLAIMS,
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            return type(error).__name__
        audience = claims["aud"]
        if not (isinstance(audience, str) and audience in self._audiences):
            own = ", ".join(sorted(self._audiences))
            return f"it is for another host than {own}"
        found = _read_claims(claims, key)
        if found is None:
            return "a claim has the wrong type, or the lifetime is too long"
        return found if found.is_current() else "it is not valid now"


def _log_refusal(reason: str) -> None:
    """Log why a token is refused, at intervals: clients send any number."""
    now = clock.monotonic()
    if now >= _refused_until.get(reason, now):
        _refused_until[reason] = now + REFUSAL_PAUSE_SECONDS
        _log.warning("an identity token is refused: %s", reason)


def key_id_of(token: str) -> str | None:
    """Return the id of the key that a token claims to be signed by."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        return None
    kid = header.get("kid")
    # Other algorithms are rejected before a key is looked up.
    return kid if kid and header.get("alg") == ALGORITHM else None


def _parse_key(published: Any) -> tuple[str, jwt.PyJWK] | None:
    """Return a published key with its id; `None` if it is for other use."""
    if not isinstance(published, dict):
        return None
    kid = published.get("kid")
    if not isinstance(kid, str) or published.get("alg") != ALGORITHM:
        return None
    try:
        return kid, jwt.PyJWK(published, ALGORITHM)
    except jwt.PyJWTError:
        return None


def _read_claims(
    claims: dict[str, Any], key: jwt.PyJWK
) -> _VerifiedToken | None:
    """Return the token of `claims`, which `key` signed.

    `None` if a claim has the wrong type or the lifetime is too long.
    """
    subject, email, role, issued, expires = (
        claims[name] for name in ("sub", "email", "role", "iat", "exp")
    )
    if not all(isinstance(text, str) for text in (subject, email, role)):
        return None
    if not all(type(moment) in (int, float) for moment in (issued, expires)):
        return None
    if not subject or not issued < expires <= issued + _MAX_LIFETIME_SECONDS:
        return None
    # A token of an older Vestibule has no such claim.
    is_verified = claims.get("email_verified", False)
    facts = parse_facts(claims)
    if not isinstance(is_verified, bool) or facts is None:
        return None
    principal = Principal(
        subject, email or None, role, None, None, is_verified, *facts
    )
    return _VerifiedToken(key, principal, issued, expires)

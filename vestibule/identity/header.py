#!/usr/bin/env python3
"""The header of a signed identity, and what its tokens have in common."""

import json
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from vestibule.core import access_settings

#: The header that carries a token to an application.
HEADER = "X-Vestibule-Identity"
#: The header in which verify says, for the query `RECENT_QUERY`, whether
#: the user confirmed the password within `REAUTH_WINDOW`.
RECENT_HEADER = "Remote-Recent"
RECENT_QUERY = "recent=on"
#: The header in which verify says whether the email is confirmed.
EMAIL_VERIFIED_HEADER = "Remote-Email-Verified"
#: The header in which verify says the level of the session: 1, or 2 for
#: two factors.
ASSURANCE_HEADER = "Remote-Assurance"
#: The header in which verify says how and when the user authenticated, for
#: the applications that ask it: a JSON object of claims of the token. No
#: proxy passes it on.
FACTS_HEADER = "X-Vestibule-Facts"
#: The issuer (`iss`) of tokens, and their signature algorithm.
ISSUER = "vestibule"
ALGORITHM = "EdDSA"
#: How long a token is valid, in whole seconds. Applications reject a token
#: with a longer lifetime.
TOKEN_LIFETIME = timedelta(seconds=60)
#: How long an application may use its copy of the public keys.
COPY_MAX_AGE = timedelta(minutes=5)


class Identity(NamedTuple):
    """A user, and the application that the token is for.

    `is_verified` is True if the user has confirmed the email by a mail.
    """

    subject: str
    email: str
    role: str
    is_verified: bool
    #: The application's host, with its port where it is not the default.
    audience: str
    #: How and when the user authenticated, for the claims `auth_time` (in
    #: seconds since 1970), `amr` and `acr` (OpenID Connect Core, 2; RFC
    #: 8176). Unknown for a session that a script began.
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    acr: str = ""
    phishing_resistant: bool = False
    #: Seconds after authentication in which it is recent (`REAUTH_WINDOW`).
    reauth_window: int | None = None


def facts_claims(identity: Identity) -> dict[str, Any]:
    """Return the claims of how and when the user authenticated.

    Claims that are not known are left out.
    """
    claims: dict[str, Any] = {
        "phishing_resistant": identity.phishing_resistant
    }
    if identity.auth_time is not None:
        claims["auth_time"] = identity.auth_time
    if identity.amr:
        claims["amr"] = list(identity.amr)
    if identity.acr:
        claims["acr"] = identity.acr
    if identity.reauth_window is not None:
        claims["reauth_window"] = identity.reauth_window
    return claims


def facts_header(identity: Identity) -> str:
    """Return the value of `FACTS_HEADER` for a user: JSON in ASCII."""
    return json.dumps(facts_claims(identity), separators=(",", ":"))


class IdentitySigner(Protocol):
    """Signs identities, and publishes the keys that check them."""

    def token(self, identity: Identity) -> str:
        """Return a token of `identity`; raise as the database does."""

    def public_keys(self) -> list[dict[str, str]]:
        """Return the keys that check tokens, as JSON Web Keys."""


def open_signer() -> IdentitySigner | None:
    """Return the signer of identities, or `None` if IDENTITY_HEADER is off.

    Importing the signer takes a tenth of a second, so that is done only if
    the setting is on.
    Raise `ConfigurationError` for a bad IDENTITY_SIGNING_KEY.
    """
    if not access_settings.IDENTITY_HEADER.read():
        return None
    from vestibule.identity.keys import KeyRing, Signer

    return Signer(KeyRing())

#!/usr/bin/env python3
"""The header of a signed identity, where the settings want one."""

from datetime import timedelta
from typing import NamedTuple, Protocol

from vestibule.core import settings

#: The header that carries a token to an application.
HEADER = "X-Vestibule-Identity"
#: What tokens name as who made them, and how they are signed.
ISSUER = "vestibule"
ALGORITHM = "EdDSA"
#: How long a token is good for, to the second: whoever signs one for
#: longer is not Vestibule.
LIFETIME = timedelta(seconds=60)
#: How long a copy of the public keys may be used.
COPY_MAX_AGE = timedelta(minutes=5)


class Identity(NamedTuple):
    """Who somebody is, and the application that is told."""

    subject: str
    email: str
    role: str
    #: The application's host, with its port where it is not the default.
    audience: str


class Signing(Protocol):
    """What signs identities and tells by which keys."""

    def token(self, identity: Identity) -> str:
        """Return a token of `identity`; raise as the database does."""

    def public_keys(self) -> list[dict[str, str]]:
        """Return the keys that check tokens, as JSON Web Keys."""


def open_signer() -> Signing | None:
    """Return what signs identities, or `None` where the header is off.

    What it needs takes a tenth of a second to import: only where wanted.
    """
    if not settings.IDENTITY_HEADER.read():
        return None
    from vestibule.identity.keys import KeyRing
    from vestibule.identity.tokens import Signer

    return Signer(KeyRing())

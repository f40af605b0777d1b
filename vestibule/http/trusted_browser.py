#!/usr/bin/env python3
"""The cookie of a browser in which the second factor is not asked for.

A user chooses so when giving a second factor there. The trust lasts 30 days.
It stands for the step that is skipped and is no factor: the session has
level 1, and whatever asks for a second factor, or for a recent one, asks for
it here too. NIST SP 800-63B-4 knows no such trust, so under `hardened` there
is none.
"""

import secrets

from flask import Request, Response

from vestibule.audit.log import EventType, log
from vestibule.core import settings
from vestibule.core.client_info import current_client
from vestibule.core.crypto import digest_of
from vestibule.core.setting_types import is_hardened
from vestibule.db import browsers, factors
from vestibule.db.browsers import TRUST_LIFETIME, TrustedBrowser
from vestibule.db.models.user import User
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions import cookie
from vestibule.sessions.facts import TrustedBrowserProof

#: Random bytes of the cookie: 256 bits.
COOKIE_BYTES = 32
_COOKIE = "vestibule_trust"


def cookie_name() -> str:
    """Return the name of the cookie, with the session cookie's prefix."""
    name = settings.SESSION_NAME.read() or ""
    return f"__Host-{_COOKIE}" if name.startswith("__Host-") else _COOKIE


def may_be_trusted() -> bool:
    """Return True if users may choose to trust a browser."""
    return not is_hardened()


def trust_browser(user: User, sessions: SessionMechanism) -> str:
    """Trust the browser of the request; return the secret for its cookie.

    It is always a new secret: one that came along may be an attacker's.
    """
    client, secret = current_client(), secrets.token_urlsafe(COOKIE_BYTES)
    browser = browsers.new_browser(
        sessions.now(), client.ip, client.user_agent
    )
    browsers.trust(user.id, digest_of(secret), _binding(user), browser)
    log(EventType.BROWSER_TRUSTED, user=user.id, handle=browser.id)
    return secret


def set_cookie(response: Response, secret: str, secure: bool) -> None:
    """Set the cookie on a response; it lasts as long as the trust."""
    lifetime = int(TRUST_LIFETIME.total_seconds())
    cookie.set_local(response, cookie_name(), secret, secure, "/", lifetime)


def trust_in(
    request: Request, user: User, sessions: SessionMechanism
) -> TrustedBrowserProof | None:
    """Return the proof that `user` trusts the browser of `request`."""
    secret = cookie.read(request, cookie_name())
    if secret is None or not may_be_trusted():
        return None
    now = sessions.now()
    if not browsers.is_trusted(
        user.id, digest_of(secret), _binding(user), now
    ):
        return None
    return TrustedBrowserProof(now)


def browsers_trusted_by(
    user: User, sessions: SessionMechanism
) -> list[TrustedBrowser]:
    """Return the browsers that `user` trusts now, newest first."""
    if not may_be_trusted():
        return []
    return browsers.trusted_by_user(user.id, _binding(user), sessions.now())


def _binding(user: User) -> str:
    """Return the digest of the user's password and factors."""
    ids = [factor.id for factor in factors.of_user(user.id)]
    return browsers.binding_of(user.password, ids)

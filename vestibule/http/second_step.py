#!/usr/bin/env python3
"""The second step of a login: the cookies of browsers that wait or skip it.

The cookie of a login that waits for a second factor is the browser's only
hold on the login, which no other browser can continue. It is no session:
nothing but `continue_login` reads it.

In a trusted browser the second factor is not asked for. A user chooses so
when giving a second factor there. The trust lasts 30 days. It stands for the
step that is skipped and is no factor: the session has level 1, and whatever
asks for a second factor, or for a recent one, asks for it here too. NIST SP
800-63B-4 knows no such trust, so under `hardened` there is none.
"""

import secrets

from flask import Request, Response, after_this_request

from vestibule.accounts.permissions import is_disabled
from vestibule.audit.log import EventType, log
from vestibule.core import settings
from vestibule.core.client_info import current_client
from vestibule.core.crypto import digest_of
from vestibule.core.errors import LoginExpired, SecondFactorRequired
from vestibule.core.request_headers import is_tls
from vestibule.core.setting_types import is_hardened
from vestibule.db import browsers, factors, pending_logins
from vestibule.db.browsers import TRUST_LIFETIME, TrustedBrowser
from vestibule.db.models.user import User
from vestibule.db.pending_logins import PENDING_LOGIN_LIFETIME, PendingLogin
from vestibule.http.request import VestibuleRequest
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions import cookie
from vestibule.sessions.facts import TrustedBrowserProof

#: Random bytes of each cookie: 256 bits.
COOKIE_BYTES = 32
_PENDING_COOKIE = "vestibule_login"
_TRUST_COOKIE = "vestibule_trust"


def pending_cookie_name() -> str:
    """Return the name of the cookie of a login that waits."""
    return _with_prefix(_PENDING_COOKIE)


def wait_for_second_factor(
    request: Request, sessions: SessionMechanism, user: User
) -> SecondFactorRequired:
    """Store a login of `user` that waits; return the error for the client.

    The response to the current request, whichever it becomes, sets the
    cookie.
    """
    secret = secrets.token_urlsafe(COOKIE_BYTES)
    pending_logins.add(
        digest_of(secret),
        PendingLogin(user.id, password_digest(user), sessions.now()),
    )
    secure = is_tls(request.environ)

    def with_cookie(response: Response) -> Response:
        """Set the cookie on the response."""
        lifetime = int(PENDING_LOGIN_LIFETIME.total_seconds())
        cookie.set_local(
            response, pending_cookie_name(), secret, secure, "/", lifetime
        )
        return response

    after_this_request(with_cookie)
    log(EventType.SECOND_FACTOR_REQUIRED, user=user.id)
    return SecondFactorRequired()


def find_pending_login(
    sessions: SessionMechanism, request: Request
) -> tuple[str, PendingLogin, User]:
    """Return the digest, the login that waits in this browser, its user.

    Raise `LoginExpired` if there is none, or the user was changed since.
    """
    digest, pending = digest_in(request), None
    if digest is not None:
        pending = pending_logins.find(digest, sessions.now())
    if digest is None or pending is None:
        raise LoginExpired
    user = User.get(pending.user_id)
    if (
        user is None
        or is_disabled(user)
        or password_digest(user) != pending.password_digest
    ):
        raise LoginExpired
    return digest, pending, user


def digest_in(request: Request) -> str | None:
    """Return the digest of the cookie of `request`, if it has one."""
    secret = cookie.read(request, pending_cookie_name())
    return None if secret is None else digest_of(secret)


def has_pending_login(request: VestibuleRequest) -> bool:
    """Return True if a login of this browser waits for a second factor."""
    digest = digest_in(request)
    return digest is not None and (
        pending_logins.find(digest, request.sessions.now()) is not None
    )


def clear_pending_login(request: Request) -> None:
    """Make the browser delete the cookie with the current response."""
    secure = is_tls(request.environ)

    def without_cookie(response: Response) -> Response:
        """Delete the cookie with the response."""
        cookie.clear_local(response, pending_cookie_name(), secure, "/")
        return response

    after_this_request(without_cookie)


def password_digest(user: User) -> str:
    """Return the digest of the stored hash of the user's password."""
    return digest_of(user.password or "")


def trust_cookie_name() -> str:
    """Return the name of the cookie of a trusted browser."""
    return _with_prefix(_TRUST_COOKIE)


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


def set_trust_cookie(response: Response, secret: str, secure: bool) -> None:
    """Set the cookie on a response; it lasts as long as the trust."""
    lifetime = int(TRUST_LIFETIME.total_seconds())
    cookie.set_local(
        response, trust_cookie_name(), secret, secure, "/", lifetime
    )


def trust_in(
    request: Request, user: User, sessions: SessionMechanism
) -> TrustedBrowserProof | None:
    """Return the proof that `user` trusts the browser of `request`."""
    secret = cookie.read(request, trust_cookie_name())
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


def _with_prefix(name: str) -> str:
    """Return the name of a cookie, with the session cookie's prefix."""
    session_name = settings.SESSION_NAME.read() or ""
    return f"__Host-{name}" if session_name.startswith("__Host-") else name

#!/usr/bin/env python3
"""The cookie of a login that waits for a second factor.

It is the browser's only hold on the login, which no other browser can
continue. It is no session: nothing but `continue_login` reads it.
"""

import secrets

from flask import Request, Response, after_this_request

from vestibule.accounts.permissions import is_disabled
from vestibule.audit.log import EventType, log
from vestibule.core import settings
from vestibule.core.crypto import digest_of
from vestibule.core.errors import LoginExpired, SecondFactorRequired
from vestibule.core.request_headers import is_tls
from vestibule.db import pending_logins
from vestibule.db.models.user import User
from vestibule.db.pending_logins import PENDING_LOGIN_LIFETIME, PendingLogin
from vestibule.http.request import VestibuleRequest
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions import cookie

#: Random bytes of the cookie: 256 bits.
COOKIE_BYTES = 32
_COOKIE = "vestibule_login"


def cookie_name() -> str:
    """Return the name of the cookie, with the session cookie's prefix."""
    name = settings.SESSION_NAME.read() or ""
    return f"__Host-{_COOKIE}" if name.startswith("__Host-") else _COOKIE


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
            response, cookie_name(), secret, secure, "/", lifetime
        )
        return response

    after_this_request(with_cookie)
    log(EventType.SECOND_FACTOR_REQUIRED, user=user.id)
    return SecondFactorRequired()


def find(
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
    secret = cookie.read(request, cookie_name())
    return None if secret is None else digest_of(secret)


def has_pending_login(request: VestibuleRequest) -> bool:
    """Return True if a login of this browser waits for a second factor."""
    digest = digest_in(request)
    return digest is not None and (
        pending_logins.find(digest, request.sessions.now()) is not None
    )


def clear(request: Request) -> None:
    """Make the browser delete the cookie with the current response."""
    secure = is_tls(request.environ)

    def without_cookie(response: Response) -> Response:
        """Delete the cookie with the response."""
        cookie.clear_local(response, cookie_name(), secure, "/")
        return response

    after_this_request(without_cookie)


def password_digest(user: User) -> str:
    """Return the digest of the stored hash of the user's password."""
    return digest_of(user.password or "")

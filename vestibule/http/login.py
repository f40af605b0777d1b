#!/usr/bin/env python3
"""Logging in and out, for the API, the pages and other Flask applications.

`log_in` is the whole of a login: the check for cross-site requests, the
throttle, the password, the end of the session that came along, and the new
session with its cookie.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from flask import Request, Response, abort, after_this_request

from vestibule.accounts.authentication import (
    DEVICE_COOKIE,
    DEVICE_LIFETIME,
    check_credentials,
    count_failures_before,
    is_still_valid,
    notify_of_failures,
    notify_of_sign_in,
)
from vestibule.accounts.mail_flows import ask_for_confirmation
from vestibule.accounts.passkeys import (
    SECOND_FACTOR,
    Answer,
    check_proof,
    check_sign_in,
)
from vestibule.accounts.permissions import (
    Actor,
    must_confirm_email,
)
from vestibule.accounts.recovery import reset_factors
from vestibule.accounts.second_factors import check_second_factor
from vestibule.audit.log import EventType, log
from vestibule.core import page_settings, settings
from vestibule.core.client_info import set_client
from vestibule.core.errors import (
    DatabaseUnavailable,
    EmailNotConfirmed,
    LoginExpired,
    PasskeyRefused,
    SessionNotCreated,
    Throttled,
    VestibuleError,
)
from vestibule.core.request_headers import is_tls, unusable_header
from vestibule.db import factors, pending_logins
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user import User
from vestibule.http import second_step
from vestibule.http.access import refuse_cross_site
from vestibule.http.request import (
    client_info,
    current_actor,
    current_request,
    preferred_language,
)
from vestibule.http.second_step import wait_for_second_factor
from vestibule.mail.notices import LANGUAGES, is_mail_on
from vestibule.mechanisms.session_mechanism import (
    SessionMechanism,
    sessions_of,
)
from vestibule.sessions import cookie
from vestibule.sessions.facts import (
    PasskeyProof,
    PasswordProof,
    Proof,
    facts_of,
    has_second_factor,
    proven,
)
from vestibule.sessions.session import EndReason

#: Bytes of a login form; the longest legitimate one has some hundred.
MAX_FORM_BYTES = 65_536


class SessionNameMissing(VestibuleError):
    """A login would succeed, but `SESSION_NAME` names no cookie for it."""

    public = "SESSION_NAME is not set"

    def __init__(self) -> None:
        """State which setting is missing."""
        super().__init__("SESSION_NAME is not set")


class Login(NamedTuple):
    """A user who has logged in, and the session that began."""

    user: User
    #: The secret id, which belongs in the cookie and nowhere else.
    session_id: str
    cookie_name: str
    #: A secret for a browser that gets one, to be known the next time.
    device: str | None = None
    #: A secret for a browser that is trusted from now on.
    trust: str | None = None

    def set_cookie(self, response: Response, request: Request) -> None:
        """Set the session cookie on the `response` to `request`."""
        secure = is_tls(request.environ)
        cookie.set_on(response, self.cookie_name, self.session_id, secure)
        if self.device is not None:
            cookie.set_local(
                response,
                DEVICE_COOKIE,
                self.device,
                secure,
                "/",
                lifetime=int(DEVICE_LIFETIME.total_seconds()),
            )
        if self.trust is not None:
            second_step.set_trust_cookie(response, self.trust, secure)

    def __repr__(self) -> str:
        """Leave the secret id out."""
        return f"Login({self.user.id})"


def log_in(
    auth: Any,
    request: Request,
    found: Sequence[User],
    email: str,
    password: str,
) -> Login | None:
    """Check a password and begin a session of the user it belongs to.

    `auth` is the mechanism, `found` what `User.search` returns for `email`.
    `None` if the password is wrong, or no such user may log in. Raise 403
    for a cross-site request, `Throttled` after too many failures,
    `ServiceBusy` while too many passwords are checked, a 400 if
    the client's address cannot be read, and `SessionNameMissing`.
    """
    user = _check_password(request, found, email, password)
    if user is None:
        return None
    proof = PasswordProof(sessions_of(auth).now())
    return begin_session(auth, request, user, [proof])


def reset_factors_and_log_in(
    auth: Any,
    request: Request,
    found: Sequence[User],
    email: str,
    password: str,
    code: str,
) -> Login | None:
    """Check a password, remove the user's factors by a code, and log in.

    The code is one that an admin handed out. `None` and the errors are
    those of `log_in`; also raise `WrongFactorResetCode`, which leaves the
    factors as they are.
    """
    user = _check_password(request, found, email, password)
    if user is None:
        return None
    sessions = sessions_of(auth)
    actor = Actor.at(client_info(request.environ))
    reset_factors(user, code, sessions.store, actor=actor)
    return begin_session(auth, request, user, [PasswordProof(sessions.now())])


def _check_password(
    request: Request, found: Sequence[User], email: str, password: str
) -> User | None:
    """Return the user whose password this is; the rules are `log_in`'s."""
    if unusable_header(request.environ) is not None:
        # The throttle would count another client than this one.
        abort(400)
    refuse_cross_site(request)
    client = client_info(request.environ)
    set_client(client)
    actor = Actor.at(client)
    failures = count_failures_before(found)
    user = check_credentials(found, email, password, actor=actor)
    if user is not None:
        # Also if a second factor is asked for: the password is known to
        # them.
        notify_of_failures(user, failures)
    return user


def begin_session(
    auth: Any, request: Request, user: User, proofs: Sequence[Proof]
) -> Login | None:
    """Begin a session of `user`, who gave these proofs just now.

    This is the only function that does: a test looks for another caller of
    `create_session`. `None` if the password was changed since, or the user
    was disabled. Raise `SecondFactorRequired`, before any session exists, if
    the user has a second factor, no proof is of one, and the user does not
    trust this browser;
    `EmailNotConfirmed` after queueing a mail to confirm the email;
    `SessionNameMissing`, or `SessionNotCreated` if the mechanism returns no
    session id.
    """
    if not proofs:
        raise ValueError("a session needs a proof")
    name = settings.SESSION_NAME.read()
    if name is None:
        raise SessionNameMissing
    if must_confirm_email(user):
        _refuse_unconfirmed(user, Actor.at(client_info(request.environ)))
    sessions, facts = sessions_of(auth), facts_of(proofs)
    if not has_second_factor(facts) and factors.has_any(user.id):
        # Only the password that the trust is bound to, never a new one.
        is_known = any(isinstance(each, PasswordProof) for each in proofs)
        trust = is_known and second_step.trust_in(request, user, sessions)
        if not trust:
            raise wait_for_second_factor(request, sessions, user)
        facts = facts.with_proof(trust)
    _end_previous(sessions, request)
    by = "passkey" if isinstance(proofs[0], PasskeyProof) else "password"
    set_client(client_info(request.environ)._replace(method=by))
    with proven(facts):
        session_id = sessions.create_session(user.id)
    if not isinstance(session_id, str) or not session_id:
        raise SessionNotCreated(type(auth).__name__)
    if not is_still_valid(user):
        sessions.store.end(session_id, EndReason.PASSWORD_CHANGED)
        return None
    session = sessions.store.find(session_id)
    handle = None if session is None else session.id
    log(EventType.LOGIN, user=user.id, handle=handle)
    device = None
    if is_mail_on():
        device = notify_of_sign_in(
            user,
            cookie.read(request, DEVICE_COOKIE),
            preferred_language(request.environ, LANGUAGES),
        )
    return Login(user, session_id, name, device)


def _refuse_unconfirmed(user: User, actor: Actor) -> None:
    """Queue the mail again that confirms the email; raise the refusal."""
    try:
        ask_for_confirmation(user, actor=actor)
    except Throttled:
        # The mail is limited; the refusal is the same.
        pass
    raise EmailNotConfirmed("the email was not confirmed yet")


def log_in_with_passkey(auth: Any, request: Request, answer: Answer) -> Login:
    """Begin a session of the user whose passkey answered.

    It verified the user, so it is both factors. Raise `PasskeyRefused`, and
    what `begin_session` does.
    """
    if unusable_header(request.environ) is not None:
        abort(400)
    refuse_cross_site(request)
    set_client(client_info(request.environ))
    user, proof = check_sign_in(answer)
    login = begin_session(auth, request, user, [proof])
    if login is None:
        raise PasskeyRefused("changed")
    return login


def continue_login(
    auth: Any,
    request: Request,
    code: str = "",
    recovery_code: str = "",
    passkey: Answer | None = None,
    *,
    trust: bool = False,
) -> Login:
    """Begin the session of a login that waits for a second factor.

    `code` is one of an app; `recovery_code` replaces a lost factor;
    `passkey` is the answer of an authenticator. With `trust` the next
    logins in this browser skip this step for 30 days, unless it was a
    recovery code. Raise `LoginExpired` if this browser has no such login;
    what `check_second_factor`, `check_proof` and `begin_session` raise.
    """
    if unusable_header(request.environ) is not None:
        abort(400)
    refuse_cross_site(request)
    set_client(client_info(request.environ))
    sessions = sessions_of(auth)
    digest, pending, user = second_step.find_pending_login(sessions, request)
    if passkey is not None:
        proof = check_proof(user, SECOND_FACTOR, passkey)
    else:
        proof = check_second_factor(user, code, recovery_code)
    # Of two requests with right codes, one continues.
    if not pending_logins.use(digest):
        raise LoginExpired
    second_step.clear_pending_login(request)
    proofs = [PasswordProof(pending.created_at), proof]
    login = begin_session(auth, request, user, proofs)
    if login is None:
        raise LoginExpired
    if trust and proof.is_second_factor and second_step.may_be_trusted():
        secret = second_step.trust_browser(user, sessions)
        login = login._replace(trust=secret)
    return login


def log_out(auth: Any) -> bool:
    """End the session of the current request; return True if it had one.

    `auth.destroy_session` looks the session up. It is given the one that
    the request was authenticated by, so the database is not asked twice.

    If the database cannot end the session, as with a full disk, the browser
    deletes the cookie all the same: the next person at it is not signed in.
    If the database is only busy, the cookie stays, so the user can try again.
    """
    request, sessions = current_request(), sessions_of(auth)
    session = request.session
    session_id = sessions.session_cookie(request)
    with IdentityMap():
        if session is not None and session_id is not None:
            IdentityMap.put(type(session), session_id, session)
        with cookie_cleared_without_database():
            if not sessions.destroy_session(request):
                return False
    handle = None if session is None else session.id
    log(EventType.LOGOUT, user=current_actor().id, handle=handle)
    return True


def set_session_cookie(response: Response, session_id: str | None) -> Response:
    """Return `response` with the cookie of a session that has a new id.

    Without a cookie if `session_id` is `None`: the session has ended.
    """
    name = settings.SESSION_NAME.read()
    if session_id is not None and name is not None:
        cookie.set_on(response, name, session_id, current_request().is_secure)
    return response


def clear_session_cookie(response: Response) -> None:
    """Make the browser delete the session cookie.

    `CLEAR_SITE_DATA` may delete more, of all applications of the origin.
    The service itself does not need that: browsers cache none of its pages,
    and it stores nothing else in them.
    """
    deleted = page_settings.CLEAR_SITE_DATA.read()
    if deleted:
        # Never "cookies": that would delete those of all other
        # applications under the same domain.
        response.headers["Clear-Site-Data"] = ", ".join(
            f'"{kind}"' for kind in deleted
        )
    name = settings.SESSION_NAME.read()
    if name is not None:
        cookie.clear_on(response, name, current_request().is_secure)


@contextmanager
def cookie_cleared_without_database() -> Iterator[None]:
    """Let the browser delete its cookie if the database cannot be used.

    The error is raised all the same, and becomes a 503.
    """
    try:
        yield
    except DatabaseUnavailable:
        after_this_request(_without_cookie)
        raise


def _without_cookie(response: Response) -> Response:
    """Return `response`, with which the browser deletes the cookie."""
    clear_session_cookie(response)
    return response


def _end_previous(sessions: SessionMechanism, request: Request) -> None:
    """End the session that came along with a login.

    An attacker may have planted it before the login (session fixation;
    ASVS 5.0, 7.2.4). A mechanism of an application's own may have its
    sessions elsewhere, so its `destroy_session` is called too.
    """
    previous = sessions.session_cookie(request)
    # A session that has expired keeps its own reason.
    if previous and sessions.user_id_for_session_id(previous) is not None:
        sessions.store.end(previous, EndReason.REPLACED)
    sessions.destroy_session(request)

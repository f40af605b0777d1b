#!/usr/bin/env python3
"""The hand-over of a session to the host of an application.

`vestibule.core.application_hosts` has its steps. The code is bound to the
host, to the cookie of the browser that began, and to the session of the
sign-in host. The path to return to is stored with the code, so the address
that uses it names nothing else.
"""

import re
import secrets

from flask import Response, abort

from vestibule.core import clock, settings
from vestibule.core.application_hosts import (
    SESSION_PATH,
    SIGN_OUT_PATH,
    application_host,
    hand_over_start,
    parse_hand_over,
    session_url,
    sign_in_host_url,
)
from vestibule.core.crypto import digest_of
from vestibule.core.redirects import RETURN_PARAMETER, safe_redirect
from vestibule.db import host_sessions
from vestibule.db.host_sessions import HOST_ID_PREFIX, Code
from vestibule.http.login import clear_session_cookie, log_out
from vestibule.http.request import current_request
from vestibule.sessions import cookie
from vestibule.sessions.session import Session
from vestibule.web.routes import SIGN_IN, SIGN_OUT, SIGNED_OUT, pages, public
from vestibule.web.templating import page, redirect_to

#: Random bytes of a code, a state and a session id.
SECRET_BYTES = 32
_STATE_COOKIE = "vestibule_state"
#: What `secrets.token_urlsafe` returns for that many bytes.
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@pages.get(SESSION_PATH)
@public
def open_session() -> Response:
    """Begin a hand-over to this host, or end it with a code."""
    request = current_request()
    host = application_host(request.environ)
    if host is None:
        abort(404)
    if request.method == "HEAD":
        # A program that only looks must not use a code up.
        abort(405)
    code = request.args.get("code")
    if code is None:
        return _begin()
    return _redeem(host, code)


@pages.get(SIGN_OUT_PATH)
@public
def lead_to_sign_out() -> Response:
    """Redirect to the sign-in host, which asks to confirm."""
    return _no_referrer(redirect_to(_page_of_sign_in_host(SIGN_OUT)))


@pages.post(SIGN_OUT_PATH)
@public
def sign_out_everywhere() -> Response:
    """End the session that this host's hangs on, and so all of them."""
    response = _no_referrer(redirect_to(_page_of_sign_in_host(SIGNED_OUT)))
    log_out(current_request().mechanism)
    clear_session_cookie(response)
    return response


def lead_to_sign_in_host() -> Response:
    """Return the response to a page of Vestibule on an application's host.

    A session that begins there would be the application's to use. The pages
    to sign in and out work all the same: applications link to them.
    """
    request = current_request()
    if request.path == SIGN_OUT:
        if request.method == "POST":
            return sign_out_everywhere()
        return lead_to_sign_out()
    if request.method != "GET":
        abort(404)
    if request.path != SIGN_IN:
        return redirect_to(sign_in_host_url(request.path))
    back = request.args.get(RETURN_PARAMETER, "")
    return redirect_to(session_url("", back.removeprefix(_origin())))


def with_code(url: str, session: Session | None) -> str:
    """Return `url` with a one-time code, or where its host asks for one.

    `url` is a safe redirect target, `session` the one that the user has on
    this host. A session of an application's host is handed to no other.
    """
    wanted = parse_hand_over(url)
    if wanted is None:
        # The page of an application, to which another address led.
        return hand_over_start(url) or url
    if session is None or session.host is not None:
        return url
    secret = secrets.token_urlsafe(SECRET_BYTES)
    code = Code(digest_of(secret), wanted.host, wanted.state)
    added = host_sessions.add_code(
        code, session.id, wanted.return_path, clock.now()
    )
    return wanted.url_with_code(secret) if added else url


def hand_over(url: str | None) -> Response | None:
    """Return the redirect of a signed-in user to an application's host.

    `None` if `url` is not on one.
    """
    if url is None or hand_over_start(url) is None:
        return None
    return _no_referrer(redirect_to(with_code(url, current_request().session)))


def _begin() -> Response:
    """Return the redirect to the sign-in host, which knows this browser."""
    request = current_request()
    back = request.args.get(RETURN_PARAMETER)
    if request.current_user is not None:
        return redirect_to(_path(back))
    state = _state() or secrets.token_urlsafe(SECRET_BYTES)
    url = session_url(_origin(), back, state=digest_of(state))
    response = redirect_to(
        sign_in_host_url(SIGN_IN, **{RETURN_PARAMETER: url})
    )
    cookie.set_local(response, _state_name(), state, request.is_secure, "/")
    return _no_referrer(response)


def _redeem(host: str, code: str) -> Response:
    """Set the session cookie of this host, and lead to the stored path."""
    state, now, path = _state(), clock.now(), None
    digest, session_id = digest_of(code), _new_session_id()
    name = settings.SESSION_NAME.read()
    if state is not None and name is not None:
        path = host_sessions.redeem_code(
            Code(digest, host, digest_of(state)), digest_of(session_id), now
        )
    if path is None or name is None:
        return _without_session(host, digest, state is not None)
    request = current_request()
    response = redirect_to(path)
    cookie.set_local(response, name, session_id, request.is_secure, "/")
    cookie.clear_local(response, _state_name(), request.is_secure, "/")
    return _no_referrer(response)


def _without_session(host: str, digest: str, has_state: bool) -> Response:
    """Return the response to a code that this browser cannot use.

    Of several pages that a browser opens at once, the last one sets the
    state. If another page has a session by now, this one uses it; if not,
    it begins again with the state that the browser has.
    """
    path = host_sessions.return_path(digest, host, clock.now())
    if path is not None and current_request().current_user is not None:
        return _no_referrer(redirect_to(path))
    if path is not None and has_state:
        return _no_referrer(redirect_to(session_url("", path)))
    return _no_referrer(page("hand_over_failed.html", 400))


def _page_of_sign_in_host(path: str) -> str:
    """Return the URL of a page there that leads back to this host."""
    if application_host(current_request().environ) is None:
        abort(404)
    return sign_in_host_url(path, **{RETURN_PARAMETER: f"{_origin()}/"})


def _origin() -> str:
    """Return scheme and host of the application that this request is for."""
    request = current_request()
    scheme = "https" if request.is_secure else "http"
    return f"{scheme}://{application_host(request.environ)}"


def _path(back: str | None) -> str:
    """Return a safe path of this host."""
    safe = safe_redirect(back)
    return safe if safe is not None and safe.startswith("/") else "/"


def _new_session_id() -> str:
    """Return a new secret id for a session of an application's host."""
    return HOST_ID_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def _state() -> str | None:
    """Return the state in the cookie of the browser, if it is well formed."""
    state = current_request().cookies.get(_state_name(), "")
    return state if _SECRET.fullmatch(state) else None


def _state_name() -> str:
    """Return the name of the state's cookie; over TLS with `__Host-`.

    Then no other host of the domain can set it (RFC 6265bis, 4.1.3.2).
    """
    return ("__Host-" if current_request().is_secure else "") + _STATE_COOKIE


def _no_referrer(response: Response) -> Response:
    """Return `response`, after which the browser names no address."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response

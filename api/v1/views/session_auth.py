#!/usr/bin/env python3
"""Sessions over HTTP: log in and log out."""

from typing import Any

from flask import Response, abort, request

from api.v1.answers import answer, challenged
from api.v1.auth.session_auth import SessionAuth
from api.v1.request import current_request
from api.v1.views.blueprint import app_views
from models.user import User
from vestibule import settings
from vestibule.accounts.credentials import check_credentials, still_holds
from vestibule.errors import NoSessionMade
from vestibule.observe.security import Event, log
from vestibule.sessions import cookie
from vestibule.sessions.origin import current_origin, set_origin
from vestibule.sessions.reasons import Reason

#: Bytes of a login form; the longest honest one has some hundred.
FORM_LIMIT = 65_536


@app_views.post("/auth_session/login")
def login() -> Response:
    """Begin a session of the user whose email and password the form has."""
    from api.v1.app import auth

    if not hasattr(auth, "create_session"):
        abort(404)
    request.max_content_length = FORM_LIMIT
    email = request.form.get("email")
    password = request.form.get("password")
    if not email:
        return answer({"error": "email missing"}, 400)
    if not password:
        return answer({"error": "password missing"}, 400)
    found = User.search({"email": email})
    # Checks by `is_valid_password`, and hashes for nobody if none is found.
    user = check_credentials(found, email, password)
    if not found and not settings.LOGIN_GENERIC_ERRORS.read():
        return answer({"error": "no user found for this email"}, 404)
    if user is None:
        return challenged(answer({"error": "wrong password"}, 401), auth)
    return _begin_session(auth, user)


@app_views.delete("/auth_session/logout")
def logout() -> Response:
    """End the session that the cookie names."""
    from api.v1.app import auth

    destroy_session = getattr(auth, "destroy_session", None)
    if destroy_session is None:
        abort(404)
    store = getattr(auth, "store", None)
    cookie_of = getattr(auth, "session_cookie", lambda _: None)
    handle = _handle(store, cookie_of(request))
    if not destroy_session(request):
        abort(404)
    user = getattr(current_request().current_user, "id", None)
    log(Event.LOGOUT, user=user, handle=handle)
    response = answer({})
    # What pages kept. Not "cookies": that would take those of all other
    # applications under the same domain along.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    name = settings.SESSION_NAME.read()
    if name is not None:
        cookie.clear_on(response, name, request.is_secure)
    return response


def _begin_session(auth: Any, user: User) -> Response:
    """Answer with the user, and with the cookie of a new session."""
    name = settings.SESSION_NAME.read()
    if name is None:
        return answer({"error": "SESSION_NAME is not set"}, 500)
    _end_former(auth)
    set_origin(current_origin()._replace(method="password"))
    session_id = auth.create_session(user.id)
    if not isinstance(session_id, str) or not session_id:
        raise NoSessionMade(type(auth).__name__)
    store = getattr(auth, "store", None)
    if store is not None and not still_holds(user):
        store.end(session_id, Reason.PASSWORD_CHANGED)
        return challenged(answer({"error": "wrong password"}, 401), auth)
    log(Event.LOGIN, user=user.id, handle=_handle(store, session_id))
    response = answer(user.to_json())
    cookie.set_on(response, name, session_id, request.is_secure)
    return response


def _end_former(auth: Any) -> None:
    """End the session that came along with a login.

    What somebody slipped a person before the login is worth nothing after
    it (ASVS 5.0, 7.2.4). A mechanism of somebody's own may have sessions
    in no store of ours, and perhaps no way to end them.
    """
    if isinstance(auth, SessionAuth):
        former = auth.session_cookie(request)
        # One that is dead already keeps the reason of its own.
        if former and auth.user_id_for_session_id(former) is not None:
            auth.store.end(former, Reason.REPLACED)
    destroy_session = getattr(auth, "destroy_session", None)
    if destroy_session is not None:
        destroy_session(request)


def _handle(store: Any, session_id: Any) -> str | None:
    """Return the public handle of a session, for the log."""
    if store is None or not isinstance(session_id, str):
        return None
    session = store.find(session_id)
    return None if session is None else str(session.id)

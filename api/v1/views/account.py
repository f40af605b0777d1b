#!/usr/bin/env python3
"""The account of the one who asks: password, email, proof of identity."""

from flask import Response, abort

from api.v1.answers import answer
from api.v1.auth.session_auth import SessionAuth
from api.v1.proof import require_recent_proof
from api.v1.request import current_request
from api.v1.views.blueprint import app_views
from models.user import User
from vestibule import settings
from vestibule.accounts.changes import change_email, change_password, prove
from vestibule.errors import InvalidValue
from vestibule.observe.security import Event, log
from vestibule.sessions import cookie


@app_views.put("/users/me/password")
def put_password() -> Response:
    """Change the password; all other sessions end, this one is renewed."""
    user, body = _user(), current_request().json_object()
    if body is None:
        return answer({"error": "Wrong format"}, 400)
    for field in ("current_password", "new_password"):
        if body.get(field) in (None, ""):
            return answer({"error": f"{field} missing"}, 400)
        if not isinstance(body[field], str):
            raise InvalidValue(field, "must be a string")
    store, session_id = None, None
    mechanism = current_request().mechanism
    if isinstance(mechanism, SessionAuth):
        store = mechanism.store
        session_id = mechanism.session_cookie(current_request())
    renewed = change_password(
        user, body["current_password"], body["new_password"], store,
        session_id,
    )
    log(Event.PASSWORD_CHANGED, user=user.id)
    return _with_session(answer(user.to_json()), renewed)


@app_views.put("/users/me/email")
def put_email() -> Response:
    """Change the email, a short time after a proof of the password."""
    user, body = _user(), current_request().json_object()
    if body is None:
        return answer({"error": "Wrong format"}, 400)
    if body.get("email") in (None, ""):
        return answer({"error": "email missing"}, 400)
    require_recent_proof()
    change_email(user, body["email"])
    log(Event.EMAIL_CHANGED, user=user.id)
    return answer(user.to_json())


@app_views.post("/auth_session/refresh")
def refresh() -> Response:
    """Prove the password again; the session gets a new id."""
    user, mechanism = _user(), current_request().mechanism
    if not isinstance(mechanism, SessionAuth):
        abort(404)
    password = current_request().form.get("password")
    if not password:
        return answer({"error": "password missing"}, 400)
    prove(user, password)
    log(Event.REAUTHENTICATED, user=user.id)
    session_id = mechanism.session_cookie(current_request())
    # Whoever had the old id has nothing (ASVS 5.0, 7.2.4).
    renewed = None if session_id is None else (
        mechanism.store.rotate(session_id, mechanism.now())
    )
    return _with_session(answer(user.to_json()), renewed)


def _user() -> User:
    """Return the user who asks; 404 if nobody is known."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return user


def _with_session(response: Response, session_id: str | None) -> Response:
    """Return `response` with the cookie of a session that has a new id.

    If the session ended in this very moment there is none.
    """
    name = settings.SESSION_NAME.read()
    if session_id is not None and name is not None:
        cookie.set_on(
            response, name, session_id, current_request().is_secure
        )
    return response

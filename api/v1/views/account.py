#!/usr/bin/env python3
"""The account of the one who asks: password, email, proof of identity."""

from typing import Any

from flask import Response, abort

from api.v1.answers import answer
from api.v1.auth.session_auth import SessionAuth
from api.v1.proof import require_recent_proof
from api.v1.request import current_request
from api.v1.views.blueprint import app_views
from api.v1.views.sessions import current_session
from models.user import User
from vestibule import settings
from vestibule.accounts.changes import change_email, change_password, prove
from vestibule.errors import InvalidValue
from vestibule.observe.security import Event, log
from vestibule.sessions import cookie
from vestibule.sessions.reasons import Reason


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
    renewed = own_new_password(
        user, body["current_password"], body["new_password"]
    )
    return with_session(answer(user.to_json()), renewed)


@app_views.put("/users/me/email")
def put_email() -> Response:
    """Change the email, a short time after a proof of the password."""
    user, body = _user(), current_request().json_object()
    if body is None:
        return answer({"error": "Wrong format"}, 400)
    if body.get("email") in (None, ""):
        return answer({"error": "email missing"}, 400)
    require_recent_proof()
    own_new_email(user, body["email"])
    return answer(user.to_json())


@app_views.post("/auth_session/refresh")
def refresh() -> Response:
    """Prove the password again; the session gets a new id."""
    user = _user()
    if not isinstance(current_request().mechanism, SessionAuth):
        abort(404)
    password = current_request().form.get("password")
    if not password:
        return answer({"error": "password missing"}, 400)
    renewed = proved_again(user, password)
    return with_session(answer(user.to_json()), renewed)


def own_new_password(user: User, current: str, new: str) -> str | None:
    """Change the password of the one who asks; all other sessions end.

    Return the new id of the session of the request, as `proved_again`
    does. Raise what `change_password` raises.
    """
    change_password(user, current, new)
    log(Event.PASSWORD_CHANGED, user=user.id)
    mechanism = current_request().mechanism
    if not isinstance(mechanism, SessionAuth):
        return None
    session = current_session(mechanism)
    keep = None if session is None else session.id
    mechanism.store.end_all(Reason.PASSWORD_CHANGED, user.id, keep)
    return _rotated(mechanism)


def own_new_email(user: User, email: Any) -> None:
    """Change the email of the one who asks, after a recent proof.

    Raise what `change_email` raises.
    """
    change_email(user, email)
    log(Event.EMAIL_CHANGED, user=user.id)


def proved_again(user: User, password: str) -> str | None:
    """Prove the password of the one who asks; raise what `prove` raises.

    Return the new id of the session of the request: whoever had the old
    one has nothing (ASVS 5.0, 7.2.4). `None` if it ended meanwhile.
    """
    prove(user, password)
    log(Event.REAUTHENTICATED, user=user.id)
    return _rotated(current_request().mechanism)


def with_session(response: Response, session_id: str | None) -> Response:
    """Return `response` with the cookie of a session that has a new id.

    If the session ended in this very moment there is none.
    """
    name = settings.SESSION_NAME.read()
    if session_id is not None and name is not None:
        cookie.set_on(
            response, name, session_id, current_request().is_secure
        )
    return response


def _user() -> User:
    """Return the user who asks; 404 if nobody is known."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return user


def _rotated(mechanism: SessionAuth) -> str | None:
    """Give the session of the request a new id, and return that."""
    session_id = mechanism.session_cookie(current_request())
    if session_id is None:
        return None
    return mechanism.store.rotate(session_id, mechanism.now())

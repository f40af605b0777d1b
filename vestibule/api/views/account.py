#!/usr/bin/env python3
"""The account of the one who asks: password, email, proof of identity."""

from flask import Response, abort

from vestibule.accounts.credentials import (
    change_email,
    change_password,
    reauthenticate,
)
from vestibule.api.views.blueprint import app_views
from vestibule.core import settings
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.access import require_recent_auth
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import json_response
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions import cookie


@app_views.put("/users/me/password")
def put_password() -> Response:
    """Change the password; all other sessions end, this one is renewed."""
    user, body = _user(), current_request().json_object()
    if body is None:
        return json_response({"error": "Wrong format"}, 400)
    for field in ("current_password", "new_password"):
        if body.get(field) in (None, ""):
            return json_response({"error": f"{field} missing"}, 400)
        if not isinstance(body[field], str):
            raise InvalidValue(field, "must be a string", code="invalid")
    renewed = change_own_password(
        user, body["current_password"], body["new_password"]
    )
    return set_session_cookie(json_response(user.to_json()), renewed)


@app_views.put("/users/me/email")
def put_email() -> Response:
    """Change the email, a short time after a proof of the password."""
    user, body = _user(), current_request().json_object()
    if body is None:
        return json_response({"error": "Wrong format"}, 400)
    if body.get("email") in (None, ""):
        return json_response({"error": "email missing"}, 400)
    require_recent_auth()
    change_email(user, body["email"])
    return json_response(user.to_json())


@app_views.post("/auth_session/refresh")
def refresh() -> Response:
    """Prove the password again; the session gets a new id."""
    user = _user()
    if not isinstance(current_request().mechanism, SessionAuth):
        abort(404)
    password = current_request().form.get("password")
    if not password:
        return json_response({"error": "password missing"}, 400)
    renewed = reauthenticate_user(user, password)
    return set_session_cookie(json_response(user.to_json()), renewed)


def change_own_password(user: User, current: str, new: str) -> str | None:
    """Change the password of the one who asks; all other sessions end.

    Return the new id of the session of the request, as `proved_again`
    does. Raise what `change_password` raises.
    """
    store, session_id = None, None
    mechanism = current_request().mechanism
    if isinstance(mechanism, SessionAuth):
        store = mechanism.store
        session_id = mechanism.session_cookie(current_request())
    return change_password(
        user, current, new, store, session_id, actor=current_actor()
    )


def reauthenticate_user(user: User, password: str) -> str | None:
    """Prove the password of the one who asks; raise what `prove` does.

    Return the new id of the session of the request: whoever had the old
    one has nothing (ASVS 5.0, 7.2.4). `None` if it ended meanwhile.
    """
    reauthenticate(user, password, actor=current_actor())
    mechanism = current_request().mechanism
    session_id = mechanism.session_cookie(current_request())
    if session_id is None:
        return None
    renewed: str | None = mechanism.store.rotate(session_id, mechanism.now())
    return renewed


def set_session_cookie(response: Response, session_id: str | None) -> Response:
    """Return `response` with the cookie of a session that has a new id.

    If the session ended in this very moment there is none.
    """
    name = settings.SESSION_NAME.read()
    if session_id is not None and name is not None:
        cookie.set_on(response, name, session_id, current_request().is_secure)
    return response


def _user() -> User:
    """Return the user who asks; 404 if nobody is known."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return user

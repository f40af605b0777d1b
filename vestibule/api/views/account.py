#!/usr/bin/env python3
"""The account of the one who asks: password, email, proof of identity."""

from typing import Any

from flask import Response, abort

from vestibule.accounts.credentials import (
    change_email,
    change_password,
    reauthenticate,
)
from vestibule.api.views.blueprint import app_views
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.access import require_recent_auth
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_request
from vestibule.http.responses import json_response


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
            raise InvalidValue(field, "must be a string")
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
    change_own_email(user, body["email"])
    return json_response(user.to_json())


@app_views.post("/auth_session/refresh")
def refresh() -> Response:
    """Prove the password again; the session gets a new id."""
    user = _user()
    if not current_request().sessions.has_store:
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
    sessions = current_request().sessions
    session_id = sessions.session_cookie(current_request())
    return change_password(user, current, new, sessions.store, session_id)


def change_own_email(user: User, email: Any) -> None:
    """Change the email of the one who asks, after a recent proof.

    Raise what `change_email` raises.
    """
    change_email(user, email)


def reauthenticate_user(user: User, password: str) -> str | None:
    """Prove the password of the one who asks; raise what `prove` does.

    Return the new id of the session of the request: whoever had the old
    one has nothing (ASVS 5.0, 7.2.4). `None` if it ended meanwhile.
    """
    reauthenticate(user, password)
    sessions = current_request().sessions
    session_id = sessions.session_cookie(current_request())
    if session_id is None:
        return None
    return sessions.store.rotate(session_id, sessions.now())


def _user() -> User:
    """Return the user who asks; 404 if nobody is known."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return user

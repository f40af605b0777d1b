#!/usr/bin/env python3
"""The account of the one who asks: password, email, proof of identity."""

from typing import Any

from flask import Response, abort

from api.v1.answers import answer
from api.v1.auth.session_auth import SessionAuth
from api.v1.proof import require_recent_proof
from api.v1.request import current_request
from api.v1.views.blueprint import app_views
from models.user import User
from vestibule import settings
from vestibule.accounts.changes import (
    change_email,
    change_password,
    prove_again,
)
from vestibule.errors import InvalidValue
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
    store, session_id = None, None
    mechanism = current_request().mechanism
    if isinstance(mechanism, SessionAuth):
        store = mechanism.store
        session_id = mechanism.session_cookie(current_request())
    return change_password(user, current, new, store, session_id)


def own_new_email(user: User, email: Any) -> None:
    """Change the email of the one who asks, after a recent proof.

    Raise what `change_email` raises.
    """
    change_email(user, email)


def proved_again(user: User, password: str) -> str | None:
    """Prove the password of the one who asks; raise what `prove` does.

    Return the new id of the session of the request: whoever had the old
    one has nothing (ASVS 5.0, 7.2.4). `None` if it ended meanwhile.
    """
    prove_again(user, password)
    mechanism = current_request().mechanism
    session_id = mechanism.session_cookie(current_request())
    if session_id is None:
        return None
    renewed: str | None = mechanism.store.rotate(session_id, mechanism.now())
    return renewed


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

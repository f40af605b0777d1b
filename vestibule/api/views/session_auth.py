#!/usr/bin/env python3
"""Sessions over HTTP: log in and log out.

A forgotten password: set a new one with the code that an admin gave.
"""

from typing import Any

from flask import Response, abort, request

from vestibule.accounts.authentication import check_credentials
from vestibule.accounts.password_reset import set_forgotten_password
from vestibule.api.views.blueprint import app_views
from vestibule.core import settings
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.login import (
    MAX_FORM_BYTES,
    clear_session_cookie,
    log_in,
    log_out,
)
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import add_challenge, json_response
from vestibule.sessions import cookie


@app_views.post("/auth_session/login")
def login() -> Response:
    """Begin a session of the user whose email and password the form has."""
    from vestibule.api.app import auth

    if not hasattr(auth, "create_session"):
        abort(404)
    request.max_content_length = MAX_FORM_BYTES
    email = request.form.get("email")
    password = request.form.get("password")
    if not email:
        return json_response({"error": "email missing"}, 400)
    if not password:
        return json_response({"error": "password missing"}, 400)
    found = User.search({"email": email})
    # Checks by `is_valid_password`, and hashes for nobody if none is found.
    user = check_credentials(found, email, password, actor=current_actor())
    if not found and not settings.LOGIN_GENERIC_ERRORS.read():
        return json_response({"error": "no user found for this email"}, 404)
    if user is None:
        return add_challenge(
            json_response({"error": "wrong password"}, 401), auth
        )
    return _logged_in(auth, user)


@app_views.delete("/auth_session/logout")
def logout() -> Response:
    """End the session that the cookie names."""
    from vestibule.api.app import auth

    if not hasattr(auth, "destroy_session") or not log_out(auth):
        abort(404)
    response = json_response({})
    clear_session_cookie(response)
    return response


def _logged_in(auth: Any, user: User) -> Response:
    """Answer with the user, and with the cookie of a new session."""
    name = settings.SESSION_NAME.read()
    if name is None:
        return json_response({"error": "SESSION_NAME is not set"}, 500)
    session_id = log_in(auth, user)
    if session_id is None:
        return add_challenge(
            json_response({"error": "wrong password"}, 401), auth
        )
    response = json_response(user.to_json())
    cookie.set_on(response, name, session_id, request.is_secure)
    return response


@app_views.post("/auth_session/reset")
def reset_password() -> Response:
    """Set the password of the form's email, if the code is right.

    Nobody is logged in by it, and every session of the user ends.
    """
    request.max_content_length = MAX_FORM_BYTES
    form = request.form
    for field in ("email", "code", "new_password"):
        if not form.get(field):
            return json_response({"error": f"{field} missing"}, 400)
    store = getattr(current_request().mechanism, "store", None)
    try:
        set_forgotten_password(
            form["email"],
            form["code"],
            form["new_password"],
            store,
            actor=current_actor(),
        )
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    return json_response({})

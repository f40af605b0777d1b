#!/usr/bin/env python3
"""Sessions over HTTP: log in and log out."""

from typing import Any

from flask import Response, abort, request

from api.v1.answers import answer, challenged
from api.v1.entry import (
    FORM_LIMIT,
    begin_session,
    forget_session,
    leave_session,
)
from api.v1.views.blueprint import app_views
from models.user import User
from vestibule import settings
from vestibule.accounts.credentials import check_credentials
from vestibule.sessions import cookie


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
    return _logged_in(auth, user)


@app_views.delete("/auth_session/logout")
def logout() -> Response:
    """End the session that the cookie names."""
    from api.v1.app import auth

    if not hasattr(auth, "destroy_session") or not leave_session(auth):
        abort(404)
    response = answer({})
    forget_session(response)
    return response


def _logged_in(auth: Any, user: User) -> Response:
    """Answer with the user, and with the cookie of a new session."""
    name = settings.SESSION_NAME.read()
    if name is None:
        return answer({"error": "SESSION_NAME is not set"}, 500)
    session_id = begin_session(auth, user)
    if session_id is None:
        return challenged(answer({"error": "wrong password"}, 401), auth)
    response = answer(user.to_json())
    cookie.set_on(response, name, session_id, request.is_secure)
    return response

#!/usr/bin/env python3
"""Log in, log out, and set a new password with a reset code."""

from collections.abc import Mapping

from flask import Response, abort, request

from vestibule.accounts.mail_flows import (
    set_password_by_code,
    set_password_by_link,
)
from vestibule.accounts.recovery import set_forgotten_password
from vestibule.api.views.index import app_views
from vestibule.api.views.mail import remembered_browser
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
from vestibule.mail.outbox import is_mail_code
from vestibule.mechanisms.session_mechanism import sessions_of


@app_views.post("/auth_session/login")
def login() -> Response:
    """Begin a session of the user whose email and password the body has.

    It is a form, as the contract has it, or a JSON object.
    """
    from vestibule.api.app import auth

    if not sessions_of(auth).has_login:
        abort(404)
    request.max_content_length = MAX_FORM_BYTES
    email = request.form.get("email")
    password = request.form.get("password")
    if request.is_json:
        fields = current_request().text_fields()
        email, password = fields.get("email"), fields.get("password")
    if not email:
        return json_response({"error": "email missing"}, 400)
    if not password:
        return json_response({"error": "password missing"}, 400)
    found = User.search({"email": email})
    # Checks by `is_valid_password`, then calls `auth.create_session`. An
    # unknown email costs a hash too, so that the time reveals nothing.
    result = log_in(auth, request, found, email, password)
    if not found and not settings.LOGIN_GENERIC_ERRORS.read():
        return json_response({"error": "no user found for this email"}, 404)
    if result is None:
        return add_challenge(
            json_response({"error": "wrong password"}, 401), auth
        )
    response = json_response(result.user.to_json())
    result.set_cookie(response, request)
    return response


@app_views.delete("/auth_session/logout")
def logout() -> Response:
    """End the session of the cookie, by `auth.destroy_session(request)`."""
    from vestibule.api.app import auth

    if not log_out(auth):
        abort(404)
    response = json_response({})
    clear_session_cookie(response)
    return response


def set_password_with(form: Mapping[str, str]) -> User | None:
    """Set a password by the token, the mail's code or the admin's code.

    Return the user if it was the admin's: a page may sign that user in.
    Raise `WrongCode`, `Throttled` or `InvalidValue`.
    """
    store = current_request().sessions.store
    actor, new = current_actor(), form["new_password"]
    if form.get("token"):
        set_password_by_link(form["token"], new, store, actor=actor)
        return None
    email, code = form["email"], form["code"]
    browser = remembered_browser()
    if browser is not None and is_mail_code(code):
        set_password_by_code(email, code, browser, new, store, actor=actor)
        return None
    return set_forgotten_password(email, code, new, store, actor=actor)


@app_views.post("/auth_session/reset")
def reset_password() -> Response:
    """Set the password of the form's email, if the code is right.

    In place of both, a form may have the token of a mail's link. This ends
    every session of the user and begins none.
    """
    request.max_content_length = MAX_FORM_BYTES
    form = current_request().text_fields()
    proof = ("token",) if form.get("token") else ("email", "code")
    for field in (*proof, "new_password"):
        if not form.get(field):
            return json_response({"error": f"{field} missing"}, 400)
    try:
        set_password_with(form)
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    return json_response({})

#!/usr/bin/env python3
"""Log in, log out, and set a new password by a code or by a mail.

The routes that need a mail, to ask for a link and to use the token of one,
exist only if `MAIL_URL` is set. A link's page sends the token by POST, so a
program that opens every link of a mail uses none of them up.
"""

import secrets
from collections.abc import Mapping

from flask import Response, abort, request

from vestibule.accounts.mail_flows import (
    ask_for_confirmation,
    ask_for_reset,
    confirm,
    set_password_by_code,
    set_password_by_link,
    undo_change,
)
from vestibule.accounts.recovery import set_forgotten_password
from vestibule.api.views.index import app_views
from vestibule.core import settings
from vestibule.core.crypto import digest_of
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.core.request_headers import is_tls
from vestibule.db.models.user import User
from vestibule.http.login import (
    MAX_FORM_BYTES,
    clear_session_cookie,
    log_in,
    log_out,
)
from vestibule.http.request import (
    current_actor,
    current_request,
    preferred_language,
)
from vestibule.http.responses import add_challenge, json_response
from vestibule.mail.notices import LANGUAGES, is_mail_on
from vestibule.mail.outbox import CODE_LIFETIME, is_mail_code
from vestibule.mechanisms.session_mechanism import sessions_of
from vestibule.sessions import cookie

#: The cookie of the browser that asked for a reset: only it may use the
#: short code of the mail.
BROWSER_COOKIE = "vestibule_reset"
#: Bytes of the cookie's random value.
BROWSER_BYTES = 32


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


@app_views.post("/auth_session/forgot")
def ask_for_new_password() -> Response:
    """Send a mail with a link to a new password, if there is an account.

    The response is the same for every address.
    """
    if not is_mail_on():
        abort(404)
    request.max_content_length = MAX_FORM_BYTES
    email = current_request().text_fields().get("email")
    if not email:
        return json_response({"error": "email missing"}, 400)
    browser = secrets.token_urlsafe(BROWSER_BYTES)
    send_reset_mail(email, browser, _language())
    response = json_response({}, 202)
    remember_browser(response, browser)
    return response


@app_views.post("/auth_session/confirm")
def confirm_email() -> Response:
    """Confirm the address that the mail with the token went to."""
    token = _token()
    if isinstance(token, Response):
        return token
    try:
        confirm(token, actor=current_actor())
    except DuplicateEmail as error:
        return json_response({"error": str(error)}, 409)
    return json_response({})


@app_views.post("/auth_session/undo")
def undo_email_change() -> Response:
    """Give an account its previous email back; end all its sessions."""
    token = _token()
    if isinstance(token, Response):
        return token
    store = current_request().sessions.store
    try:
        undo_change(token, store, actor=current_actor())
    except DuplicateEmail as error:
        return json_response({"error": str(error)}, 409)
    return json_response({})


@app_views.post("/users/me/email/confirmation")
def send_confirmation() -> Response:
    """Send the mail again that confirms the email of the user."""
    if not is_mail_on():
        abort(404)
    user = current_request().current_user
    if user is None:
        abort(404)
    ask_for_confirmation(user, actor=current_actor(), language=_language())
    return json_response({}, 202)


def send_reset_mail(email: str, browser: str, language: str | None) -> None:
    """Queue a reset mail for the browser with this secret.

    Raise `InvalidValue` or `Throttled`.
    """
    ask_for_reset(
        email,
        actor=current_actor(),
        language=language,
        browser=digest_of(browser),
    )


def _language() -> str | None:
    """Return the language of mails that the client asks for, if it does."""
    return preferred_language(current_request().environ, LANGUAGES)


def remember_browser(response: Response, browser: str) -> None:
    """Let the browser that asks use the short code of the mail."""
    cookie.set_local(
        response,
        BROWSER_COOKIE,
        browser,
        is_tls(current_request().environ),
        "/",
        lifetime=int(CODE_LIFETIME.total_seconds()),
    )


def remembered_browser() -> str | None:
    """Return the digest of the browser's secret, if it asked for a reset."""
    value = cookie.read(current_request(), BROWSER_COOKIE)
    return None if value is None else digest_of(value)


def _token() -> str | Response:
    """Return the token of the body, or a 400; 404 without mail."""
    if not is_mail_on():
        abort(404)
    request.max_content_length = MAX_FORM_BYTES
    token = current_request().text_fields().get("token")
    if not token:
        return json_response({"error": "token missing"}, 400)
    return token

#!/usr/bin/env python3
"""What needs a mail: ask for a link, and use the token of one.

The routes exist only if `MAIL_URL` is set. A link's page sends the token by
POST, so a program that opens every link of a mail uses none of them up."""

import secrets

from flask import Response, abort, request

from vestibule.accounts.mail_flows import (
    ask_for_confirmation,
    ask_for_reset,
    confirm,
    undo_change,
)
from vestibule.api.views.index import app_views
from vestibule.core.crypto import digest_of
from vestibule.core.errors import DuplicateEmail
from vestibule.core.request_headers import is_tls
from vestibule.http.login import MAX_FORM_BYTES
from vestibule.http.request import (
    current_actor,
    current_request,
    preferred_language,
)
from vestibule.http.responses import json_response
from vestibule.mail.notices import LANGUAGES, is_mail_on
from vestibule.mail.outbox import CODE_LIFETIME
from vestibule.sessions import cookie

#: The cookie of the browser that asked for a reset: only it may use the
#: short code of the mail.
BROWSER_COOKIE = "vestibule_reset"
#: Bytes of the cookie's random value.
BROWSER_BYTES = 32


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

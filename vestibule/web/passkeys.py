#!/usr/bin/env python3
"""The pages of passkeys: add one, remove the password, and the options.

A script asks for the options, and puts the answer of the authenticator into
a hidden field of the page's form. So each result is a page as others are.
"""

import json
from typing import Any

from flask import Response, abort

from vestibule.accounts.passkeys import (
    REAUTHENTICATE,
    SECOND_FACTOR,
    add_passkey,
    proof_options,
    registration_options,
    remove_password,
    sign_in_options,
    site,
)
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.errors import InvalidValue, PasskeyRefused
from vestibule.http import second_step
from vestibule.http.login import set_session_cookie
from vestibule.http.recent_auth import renew_session
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import json_response
from vestibule.sessions.facts import VerifiedPasskeyProof
from vestibule.web.factors import (
    check_factor_proof,
    codes_page,
    factor_form,
)
from vestibule.web.forms import FormErrors, missing_fields, passkey_field
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import (
    ACCOUNT,
    FACTORS,
    PASSWORD,
    pages,
    public,
    with_return_url,
)
from vestibule.web.templating import redirect

_ADD = f"{FACTORS}/passkey"
_REMOVE_PASSWORD = f"{PASSWORD}/remove"


@pages.post(f"{ACCOUNT}/passkey-options")
@public
def entry_passkey_options() -> Response:
    """Return a challenge to sign in, or to continue a login."""
    _require_passkeys()
    request, actor = current_request(), current_actor()
    if request.form.get("use") == "sign-in":
        return json_response(sign_in_options(actor))
    user = second_step.find_pending_login(request.sessions, request)[2]
    return json_response(proof_options(user, SECOND_FACTOR, actor))


@pages.post(f"{FACTORS}/passkey-options")
def own_passkey_options() -> Response:
    """Return a challenge to add a passkey, or to confirm one.

    Whether the user may add one is checked with the form that follows.
    """
    _require_passkeys()
    user, actor = current_mechanism_and_user()[1], current_actor()
    if current_request().form.get("use") != "add":
        return json_response(proof_options(user, REAUTHENTICATE, actor))
    try:
        return json_response(registration_options(user, actor))
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)


@pages.get(_ADD)
def show_add_passkey() -> Response:
    """Ask for the name of a new passkey."""
    _require_passkeys()
    current_mechanism_and_user()
    return factor_form("passkey_add.html")


@pages.post(_ADD)
def add_passkey_page() -> Response:
    """Store the passkey; the first factor brings recovery codes.

    The session gets a new id, and level 2.
    """
    _require_passkeys()
    user, form = current_mechanism_and_user()[1], current_request().form
    problem, renewed = check_factor_proof(user)
    if problem is None and (missing := missing_fields(("name",))):
        problem = FormErrors(400, missing)
    answer: dict[str, Any] | None = passkey_field("passkey")
    if problem is not None or answer is None:
        # Without an answer, the user confirmed another factor just now.
        return factor_form("passkey_add.html", problem, renewed)
    try:
        _, codes = add_passkey(user, form["name"], answer)
    except InvalidValue as error:
        problem = FormErrors(400, {"name": error_message(error)})
    except PasskeyRefused as error:
        problem = FormErrors(400, alert=error_message(error))
    if problem is not None:
        return factor_form("passkey_add.html", problem, renewed)
    now = current_request().sessions.now()
    renewed = renew_session(VerifiedPasskeyProof(now), renewed)
    if codes:
        return codes_page(codes, renewed)
    return set_session_cookie(
        redirect(with_return_url(FACTORS), Message.PASSKEY_ADDED), renewed
    )


@pages.get(_REMOVE_PASSWORD)
def confirm_remove_password() -> Response:
    """Ask to confirm that the password is to be removed."""
    if not current_mechanism_and_user()[1].has_password:
        return redirect(ACCOUNT)
    return factor_form("password_remove.html")


@pages.post(_REMOVE_PASSWORD)
def remove_password_page() -> Response:
    """Remove the password; passkeys sign the user in from now on."""
    user = current_mechanism_and_user()[1]
    problem, renewed = check_factor_proof(user)
    if problem is None:
        try:
            remove_password(user)
        except InvalidValue as error:
            problem = FormErrors(400, alert=error_message(error))
    if problem is not None:
        return factor_form("password_remove.html", problem, renewed)
    return set_session_cookie(
        redirect(FACTORS, Message.PASSWORD_REMOVED), renewed
    )


def signal(detail: dict[str, Any]) -> str:
    """Return the JSON for the browser's password manager."""
    return json.dumps(detail)


def _require_passkeys() -> None:
    """Abort with 404 if this installation has no passkeys."""
    if site() is None:
        abort(404)

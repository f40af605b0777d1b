#!/usr/bin/env python3
"""Passkeys: sign in by one, enroll one, and the options of both.

The options are what browsers take as JSON
(`PublicKeyCredential.parseRequestOptionsFromJSON`), and an answer is the
`toJSON` of what they return.
"""

from typing import Any

from flask import Response, abort, request

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
from vestibule.api.views.factors import factor_json, passkey_answer
from vestibule.api.views.index import app_views
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.errors import InvalidValue
from vestibule.http import pending_login
from vestibule.http.login import (
    MAX_FORM_BYTES,
    log_in_with_passkey,
    set_session_cookie,
)
from vestibule.http.recent_auth import renew_session, require_factor_proof
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import json_response
from vestibule.sessions.facts import VerifiedPasskeyProof


@app_views.post("/auth_session/passkey/options")
def passkey_options() -> Response:
    """Return a challenge to sign in with any passkey."""
    _require_passkeys()
    return json_response(sign_in_options(current_actor()))


@app_views.post("/auth_session/passkey")
def log_in_by_passkey() -> Response:
    """Begin a session of the user whose passkey answered."""
    _require_passkeys()
    request.max_content_length = MAX_FORM_BYTES
    answer = passkey_answer()
    if answer is None:
        return json_response({"error": "passkey missing"}, 400)
    auth = current_request().mechanism
    result = log_in_with_passkey(auth, request, answer)
    response = json_response(result.user.to_json())
    result.set_cookie(response, request)
    return response


@app_views.post("/auth_session/second-factor/options")
def second_factor_options() -> Response:
    """Return a challenge to continue the login of this browser."""
    _require_passkeys()
    user = pending_login.find(current_request().sessions, request)[2]
    options = proof_options(user, SECOND_FACTOR, current_actor())
    return json_response(options)


@app_views.post("/auth_session/factors/proof/options")
def prove_factor_options() -> Response:
    """Return a challenge to confirm a passkey that the user has."""
    _, user = current_mechanism_and_user()
    _require_passkeys()
    options = proof_options(user, REAUTHENTICATE, current_actor())
    return json_response(options)


@app_views.post("/auth_session/factors/passkey/options")
def new_passkey_options() -> Response:
    """Return what a browser needs to make a passkey."""
    _, user = current_mechanism_and_user()
    _require_passkeys()
    require_factor_proof()
    try:
        return json_response(registration_options(user, current_actor()))
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)


@app_views.post("/auth_session/factors/passkey")
def add_own_passkey() -> Response:
    """Store a passkey that an authenticator made; it counts at once.

    The session gets a new id, and level 2. The first factor brings
    recovery codes, which are in this response alone.
    """
    auth, user = current_mechanism_and_user()
    _require_passkeys()
    request.max_content_length = MAX_FORM_BYTES
    require_factor_proof()
    answer, body = passkey_answer(), current_request().json_object() or {}
    if answer is None:
        return json_response({"error": "passkey missing"}, 400)
    try:
        factor, codes = add_passkey(user, body.get("name"), answer)
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    shown: dict[str, Any] = factor_json(factor) | {"recovery_codes": codes}
    renewed = renew_session(VerifiedPasskeyProof(auth.now()))
    return set_session_cookie(json_response(shown, 201), renewed)


@app_views.delete("/users/me/password")
def remove_own_password() -> Response:
    """Remove the password; passkeys sign the user in from now on."""
    _, user = current_mechanism_and_user()
    require_factor_proof()
    try:
        remove_password(user)
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    return json_response({})


def _require_passkeys() -> None:
    """Abort with 404 if this installation has no passkeys."""
    if not current_request().sessions.has_login or site() is None:
        abort(404)

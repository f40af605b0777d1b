#!/usr/bin/env python3
"""Second factors and passkeys: continue a login, enroll, list, rename, remove.

The options for passkeys are what browsers take as JSON
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
from vestibule.accounts.permissions import Action
from vestibule.accounts.recovery import (
    check_may_reset,
    factor_reset_link_path,
    issue_factor_reset,
)
from vestibule.accounts.second_factors import (
    begin_app,
    confirm_app,
    remove_factor,
    rename_factor,
    replace_recovery_codes,
)
from vestibule.api.views.admin import one_time_code_json, user_or_404
from vestibule.api.views.index import app_views
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    format_time,
)
from vestibule.core.access_settings import has_secrets_key
from vestibule.core.errors import InvalidValue
from vestibule.db import factors
from vestibule.db.factors import RECOVERY, Factor
from vestibule.db.models.user import User
from vestibule.http import second_step
from vestibule.http.access import authorize
from vestibule.http.login import (
    MAX_FORM_BYTES,
    continue_login,
    log_in_with_passkey,
    reset_factors_and_log_in,
    set_session_cookie,
)
from vestibule.http.recent_auth import (
    reauthenticate_by_code,
    reauthenticate_by_passkey,
    renew_session,
    require_factor_proof,
    require_recent_auth,
)
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import add_challenge, json_response
from vestibule.sessions.facts import TotpProof, VerifiedPasskeyProof


@app_views.post("/auth_session/second-factor")
def give_second_factor() -> Response:
    """Continue the login of this browser by a factor or a recovery code."""
    if not current_request().sessions.has_login:
        abort(404)
    request.max_content_length = MAX_FORM_BYTES
    passkey = passkey_answer()
    fields = {} if passkey else current_request().text_fields()
    code, recovery = fields.get("code"), fields.get("recovery_code")
    if not code and not recovery and not passkey:
        return json_response({"error": "code missing"}, 400)
    auth = current_request().mechanism
    result = continue_login(
        auth,
        request,
        code or "",
        recovery or "",
        passkey,
        trust=fields.get("trust") == "on",
    )
    response = json_response(result.user.to_json())
    result.set_cookie(response, request)
    return response


@app_views.post("/auth_session/factor-reset")
def reset_factors_by_code() -> Response:
    """Log in by a password and a code that removes all second factors."""
    if not current_request().sessions.has_login:
        abort(404)
    request.max_content_length = MAX_FORM_BYTES
    fields = current_request().text_fields()
    for name in ("email", "password", "code"):
        if not fields.get(name):
            return json_response({"error": f"{name} missing"}, 400)
    auth = current_request().mechanism
    email = fields["email"]
    result = reset_factors_and_log_in(
        auth,
        request,
        User.search({"email": email}),
        email,
        fields["password"],
        fields["code"],
    )
    if result is None:
        return add_challenge(
            json_response({"error": "wrong email or password"}, 401), auth
        )
    response = json_response(result.user.to_json())
    result.set_cookie(response, request)
    return response


@app_views.get("/auth_session/factors")
def list_factors() -> Response:
    """Show the current user's second factors, oldest first."""
    _, user = current_mechanism_and_user()
    return json_response(_factors_json(user))


@app_views.get("/users/<user_id>/factors")
def list_factors_of(user_id: str) -> Response:
    """Show admins the second factors of a user, never a seed."""
    authorize(Action.LIST_FACTORS, user_id)
    return json_response(_factors_json(user_or_404(user_id)))


@app_views.post("/users/<user_id>/factor-reset")
def issue_factor_reset_code(user_id: str) -> Response:
    """Show, once, a code with which the user removes all second factors.

    The admin must have given a second factor in this session.
    """
    authorize(Action.RESET_FACTORS, user_id)
    user, actor = user_or_404(user_id), current_actor()
    check_may_reset(user, actor, current_request().session)
    require_recent_auth()
    issued = issue_factor_reset(user, actor=actor)
    path = factor_reset_link_path(user, issued.code)
    return json_response(one_time_code_json(issued, path))


@app_views.post("/auth_session/factors")
def add_factor() -> Response:
    """Begin to enroll an app; its seed is in this response alone."""
    _, user = current_mechanism_and_user()
    if not has_secrets_key():
        abort(404)
    require_factor_proof()
    try:
        new = begin_app(user, _body().get("name"))
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    shown = factor_json(new.factor) | {"key": new.key, "otpauth": new.url}
    return json_response(shown, 201)


@app_views.post("/auth_session/factors/<factor_id>/confirm")
def confirm_factor(factor_id: str) -> Response:
    """Finish to enroll an app, by its first code.

    The session gets a new id, and level 2. The first factor brings
    recovery codes, which are in this response alone.
    """
    auth, user = current_mechanism_and_user()
    require_factor_proof()
    code = _body().get("code")
    if not isinstance(code, str) or not code:
        return json_response({"error": "code missing"}, 400)
    codes = confirm_app(user, factor_id, code)
    response = json_response({"recovery_codes": codes})
    renewed = renew_session(TotpProof(auth.now()))
    return set_session_cookie(response, renewed)


@app_views.post("/auth_session/factors/proof")
def prove_factor() -> Response:
    """Confirm a present factor; the session gets a new id."""
    _, user = current_mechanism_and_user()
    passkey, code = passkey_answer(), _body().get("code")
    if passkey:
        renewed = reauthenticate_by_passkey(user, passkey)
    elif isinstance(code, str) and code:
        renewed = reauthenticate_by_code(user, code)
    else:
        return json_response({"error": "code missing"}, 400)
    return set_session_cookie(json_response({}), renewed)


@app_views.put("/auth_session/factors/<factor_id>")
def name_factor(factor_id: str) -> Response:
    """Give an app or a passkey another name."""
    _, user = current_mechanism_and_user()
    require_factor_proof()
    try:
        renamed = rename_factor(user, factor_id, _body().get("name"))
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    return json_response(factor_json(renamed))


@app_views.delete("/auth_session/factors/<factor_id>")
def delete_factor(factor_id: str) -> Response:
    """Remove a factor; the recovery codes go with the last one."""
    _, user = current_mechanism_and_user()
    require_factor_proof()
    remove_factor(user, factor_id)
    return json_response({})


@app_views.post("/auth_session/recovery-codes")
def new_recovery_codes() -> Response:
    """Make a new set of recovery codes, which ends the one before."""
    _, user = current_mechanism_and_user()
    require_factor_proof()
    return json_response({"recovery_codes": replace_recovery_codes(user)})


def _factors_json(user: User) -> dict[str, Any]:
    """Return the second factors of a user, oldest first."""
    return {
        "factors": [
            factor_json(one)
            for one in factors.of_user(user.id)
            if one.kind != RECOVERY
        ],
        "recovery_codes": factors.count_recovery_codes(user.id),
    }


def factor_json(factor: Factor) -> dict[str, Any]:
    """Return what its owner and admins see of a factor; never the seed."""
    return {
        "id": factor.id,
        "kind": factor.kind,
        "name": factor.name,
        "created_at": format_time(factor.created_at),
        "last_used_at": format_time(factor.last_used_at),
        "switched_off": factor.is_switched_off,
    }


def passkey_answer() -> dict[str, Any] | None:
    """Return the answer of an authenticator in a JSON body, if any."""
    found = _body().get("passkey")
    return found if isinstance(found, dict) else None


def _body() -> dict[str, Any]:
    """Return the JSON object of the body, or an empty one."""
    return current_request().json_object() or {}


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
    user = second_step.find_pending_login(current_request().sessions, request)[
        2
    ]
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

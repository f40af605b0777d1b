#!/usr/bin/env python3
"""What admins do to accounts: roles, disabling, resets, sessions.

Its law: what changes somebody else's account needs a recent proof of the
admin's password, because a thief of an open session would do it first.
"""

from typing import Any

from flask import Response, abort

from api.v1.answers import answer
from api.v1.auth.session_auth import SessionAuth
from api.v1.permit import permit
from api.v1.proof import require_recent_proof
from api.v1.request import asker, current_request
from api.v1.views.blueprint import app_views
from api.v1.views.sessions import asking, current_session, shown
from models.user import User
from vestibule.accounts.disabling import disable, enable
from vestibule.accounts.policy import Action
from vestibule.accounts.reset import ResetCode, issue_code
from vestibule.accounts.revocation import revoke, revoke_all
from vestibule.accounts.roles import set_role
from vestibule.errors import InvalidValue


@app_views.put("/users/<user_id>/role")
def give_role(user_id: str) -> Response:
    """Make the user an admin, or a member again."""
    permit(Action.SET_ROLE, user_id)
    user, body = known_user(user_id), current_request().json_object()
    if body is None:
        return wrong_format()
    require_recent_proof()
    try:
        change_role(user, body.get("role"))
    except InvalidValue as error:
        return wrong_format(error.field)
    return answer(known_user(user_id).to_json())


@app_views.put("/users/<user_id>/disabled")
def switch_user(user_id: str) -> Response:
    """Disable the user, which ends all sessions, or enable it again."""
    permit(Action.SET_DISABLED, user_id)
    user, body = known_user(user_id), current_request().json_object()
    if body is None:
        return wrong_format()
    disabled = body.get("disabled")
    if not isinstance(disabled, bool):
        return wrong_format("disabled")
    require_recent_proof()
    change_disabled(user, disabled)
    return answer(known_user(user_id).to_json())


@app_views.post("/users/<user_id>/password-reset")
def issue_reset(user_id: str) -> Response:
    """Show, this once, a code with which the user sets a new password.

    Whatever the body has is not read: nobody chooses for somebody else.
    """
    permit(Action.ISSUE_RESET, user_id)
    user = known_user(user_id)
    require_recent_proof()
    return answer(shown_code(hand_out_code(user)))


@app_views.get("/users/<user_id>/sessions")
def list_sessions_of(user_id: str) -> Response:
    """Show the live sessions of the user, newest first."""
    permit(Action.LIST_SESSIONS, user_id)
    auth = asking()[0]
    user = known_user(user_id)
    return answer(shown(auth, user.id, current_session(auth)))


@app_views.delete("/users/<user_id>/sessions")
def end_sessions_of(user_id: str) -> Response:
    """End all sessions of the user."""
    permit(Action.END_SESSIONS, user_id)
    auth = asking()[0]
    user = known_user(user_id)
    require_recent_proof()
    return answer({"ended": end_as_admin(auth, user.id)})


@app_views.delete("/sessions")
def end_all_sessions() -> Response:
    """End everybody's sessions, that of the admin who asks too."""
    permit(Action.END_ALL_SESSIONS)
    auth = asking()[0]
    require_recent_proof()
    return answer({"ended": end_as_admin(auth, None)})


@app_views.delete("/sessions/<handle>")
def end_any_session(handle: str) -> Response:
    """End the session with this handle, whosever it is."""
    permit(Action.END_ANY_SESSION)
    auth = asking()[0]
    require_recent_proof()
    if not end_one_as_admin(auth, handle):
        abort(404)
    return answer({})


def change_role(user: User, role: Any) -> None:
    """Give a user a role, for the admin who asks.

    Raise what `set_role` raises.
    """
    set_role(user, role, asker())


def change_disabled(user: User, disabled: bool) -> None:
    """Keep a user out, or let it in again, for the admin who asks.

    Raise `LastAdmin` or `NotStored`.
    """
    store = getattr(current_request().mechanism, "store", None)
    (disable if disabled else enable)(user, store, asker())


def hand_out_code(user: User) -> ResetCode:
    """Return a new code for the user's password, to be shown once."""
    return issue_code(user, asker())


def shown_code(issued: ResetCode) -> dict[str, str]:
    """Return a code as JSON has it."""
    until = issued.expires_at.strftime("%Y-%m-%d %H:%M:%S")
    return {"code": issued.code, "expires_at": until}


def end_as_admin(auth: SessionAuth, user_id: str | None) -> int:
    """End the sessions of a user, or of all; count them."""
    return revoke_all(auth.store, user_id, asker())


def end_one_as_admin(auth: SessionAuth, handle: str) -> bool:
    """End one session, whosever it is; tell if it was there."""
    return revoke(auth.store, handle, asker())


def known_user(user_id: str) -> User:
    """Return the user with this id; 404 if there is none."""
    user = User.get(user_id)
    if user is None:
        abort(404)
    return user


def wrong_format(field: str | None = None) -> Response:
    """Answer that the body, or this field of it, cannot be meant."""
    told: dict[str, Any] = {"error": "Wrong format"}
    if field is not None:
        told["field"] = field
    return answer(told, 400)

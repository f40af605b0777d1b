#!/usr/bin/env python3
"""Admin views that change accounts: roles, disabling, resets, sessions.

Each change needs a recently confirmed password of the admin, because a
thief of the admin's session would try it first."""

from typing import Any

from flask import Response, abort

from vestibule.accounts.permissions import Action
from vestibule.accounts.recovery import ResetCode, issue_code, link_path
from vestibule.accounts.revocation import revoke, revoke_all, untrust_browser
from vestibule.accounts.users import disable, enable, set_role
from vestibule.api.views.index import app_views
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    session_list,
    trusted_browsers_json,
)
from vestibule.core import page_settings
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.recent_auth import require_recent_auth
from vestibule.http.request import (
    current_actor,
    current_request,
    current_store,
    public_url,
)
from vestibule.http.responses import json_response
from vestibule.mechanisms.session_auth import SessionAuth


@app_views.put("/users/<user_id>/role")
def give_role(user_id: str) -> Response:
    """Make the user an admin, or a member again."""
    authorize(Action.SET_ROLE, user_id)
    user, body = user_or_404(user_id), current_request().json_object()
    if body is None:
        return wrong_format()
    require_recent_auth()
    try:
        set_role(user, body.get("role"), actor=current_actor())
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response(user_or_404(user_id).to_json())


@app_views.put("/users/<user_id>/disabled")
def switch_user(user_id: str) -> Response:
    """Disable the user, which ends all sessions, or enable it again."""
    authorize(Action.SET_DISABLED, user_id)
    user, body = user_or_404(user_id), current_request().json_object()
    if body is None:
        return wrong_format()
    disabled = body.get("disabled")
    if not isinstance(disabled, bool):
        return wrong_format("disabled")
    require_recent_auth()
    change = disable if disabled else enable
    change(user, current_store(), actor=current_actor())
    return json_response(user_or_404(user_id).to_json())


@app_views.post("/users/<user_id>/password-reset")
def issue_reset(user_id: str) -> Response:
    """Show, once, a code with which the user sets a new password.

    The body is not read: an admin cannot choose the password.
    """
    authorize(Action.ISSUE_RESET, user_id)
    user = user_or_404(user_id)
    require_recent_auth()
    return json_response(
        reset_code_json(user, issue_code(user, actor=current_actor()))
    )


@app_views.get("/users/<user_id>/sessions")
def list_sessions_of(user_id: str) -> Response:
    """Show a page of the user's live sessions, newest first."""
    authorize(Action.LIST_SESSIONS, user_id)
    auth = current_mechanism_and_user()[0]
    user = user_or_404(user_id)
    return session_list(auth, user.id)


@app_views.delete("/users/<user_id>/sessions")
def end_sessions_of(user_id: str) -> Response:
    """End all sessions of the user."""
    authorize(Action.END_SESSIONS, user_id)
    auth = current_mechanism_and_user()[0]
    user = user_or_404(user_id)
    require_recent_auth()
    return json_response(
        {"ended": revoke_all(auth.store, user.id, current_actor())}
    )


@app_views.get("/users/<user_id>/trusted-browsers")
def list_trusted_browsers_of(user_id: str) -> Response:
    """Show the browsers that the user trusts, newest first."""
    authorize(Action.LIST_TRUSTED, user_id)
    auth = current_mechanism_and_user()[0]
    return json_response(trusted_browsers_json(user_or_404(user_id), auth))


@app_views.delete("/users/<user_id>/trusted-browsers/<browser_id>")
def stop_trusting_browser_of(user_id: str, browser_id: str) -> Response:
    """End the user's trust in a browser."""
    authorize(Action.END_TRUST, user_id)
    current_mechanism_and_user()
    user = user_or_404(user_id)
    require_recent_auth()
    if not untrust_browser(user.id, browser_id, current_actor()):
        abort(404)
    return json_response({})


@app_views.delete("/sessions")
def end_all_sessions() -> Response:
    """End the sessions of all users, that of the admin too."""
    authorize(Action.END_ALL_SESSIONS)
    auth = current_mechanism_and_user()[0]
    require_recent_auth()
    return json_response(
        {"ended": revoke_all(auth.store, None, current_actor())}
    )


@app_views.delete("/sessions/<handle>")
def end_any_session(handle: str) -> Response:
    """End the session of any user with this handle."""
    authorize(Action.END_ANY_SESSION)
    auth = current_mechanism_and_user()[0]
    require_recent_auth()
    if not revoke(auth.store, handle, current_actor()):
        abort(404)
    return json_response({})


def reset_code_json(user: User, issued: ResetCode) -> dict[str, str | None]:
    """Return a user's reset code or invitation as it is written in JSON."""
    return one_time_code_json(issued, link_path(user, issued.code))


def one_time_code_json(
    issued: ResetCode, path: str | None
) -> dict[str, str | None]:
    """Return a code, and the link to the page at `path`, as in JSON.

    The link is `None` if the service has no pages, or the user no email.
    """
    has_pages = page_settings.WEB_PAGES.read() and isinstance(
        current_request().mechanism, SessionAuth
    )
    return {
        "code": issued.code,
        "expires_at": issued.expires_at.strftime("%Y-%m-%d %H:%M:%S"),
        "link": public_url(path) if path and has_pages else None,
    }


def user_or_404(user_id: str) -> User:
    """Return the user with this id; 404 if there is none."""
    user = User.get(user_id)
    if user is None:
        abort(404)
    return user


def wrong_format(field: str | None = None) -> Response:
    """Answer 400: the body, or this field of it, is invalid."""
    answer: dict[str, Any] = {"error": "Wrong format"}
    if field is not None:
        answer["field"] = field
    return json_response(answer, 400)

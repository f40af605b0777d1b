#!/usr/bin/env python3
"""Admin views of users: find, invite, change, unlock, and end sessions.

Each change of an account needs a recently confirmed password of the admin,
because a thief of the admin's session would try it first.
"""

from typing import Any

from flask import Response, abort

from vestibule.accounts.permissions import Action
from vestibule.accounts.recovery import (
    ResetCode,
    issue_code,
    link_path,
    parse_invitation_lifetime,
    revoke_invitation,
)
from vestibule.accounts.revocation import revoke, revoke_all, untrust_browser
from vestibule.accounts.throttle import failures_for_user, reset_failures
from vestibule.accounts.users import disable, enable, invite, set_role
from vestibule.admin import cursor, filters
from vestibule.api.views.index import app_views
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    format_time,
    session_list,
    trusted_browsers_json,
)
from vestibule.core import clock, page_settings
from vestibule.core.errors import InvalidValue
from vestibule.db.codes import OpenInvitation
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


@app_views.get("/admin/users")
def find_users() -> Response:
    """Show the users that match the search and filters, by page."""
    authorize(Action.FIND_USERS)
    given = current_request().args
    try:
        wanted = filters.parse_user_filter(given)
        found = cursor.search_users(
            wanted, filters.parse_limit(given), given.get("after", "")
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response(
        {
            "users": [user_for_admins(user) for user in found.users],
            "next": found.next,
        }
    )


@app_views.post("/admin/users")
def invite_user() -> Response:
    """Add a user without a password; show, once, a code to set one."""
    authorize(Action.INVITE_USER)
    body = current_request().json_object()
    if body is None:
        return wrong_format()
    require_recent_auth()
    if body.get("email") in (None, ""):
        return json_response({"error": "email missing"}, 400)
    try:
        invited = invite(
            body["email"],
            body.get("first_name"),
            body.get("last_name"),
            actor=current_actor(),
            lifetime=parse_invitation_lifetime(body.get("valid_hours")),
        )
    except InvalidValue as error:
        return json_response({"error": f"Can't create User: {error}"}, 400)
    return json_response(
        {
            "user": user_for_admins(invited.user),
            **reset_code_json(invited.user, invited.code),
        },
        201,
    )


@app_views.get("/admin/invitations")
def list_invitations() -> Response:
    """Show a page of the open invitations, without their codes."""
    authorize(Action.INVITE_USER)
    given = current_request().args
    try:
        found = cursor.list_invitations(
            given.get("sort", ""),
            filters.parse_limit(given),
            given.get("after", ""),
            clock.now(),
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response(
        {
            "invitations": [*map(_invitation_json, found.invitations)],
            "next": found.next,
        }
    )


@app_views.delete("/admin/invitations/<user_id>")
def revoke_open_invitation(user_id: str) -> Response:
    """Revoke the open invitation of the user, who stays."""
    authorize(Action.INVITE_USER)
    require_recent_auth()
    if not revoke_invitation(user_id, actor=current_actor()):
        abort(404)
    return json_response({})


@app_views.get("/admin/users/<user_id>")
def show_user_to_admins(user_id: str) -> Response:
    """Show the user with this id, with role and status."""
    authorize(Action.FIND_USERS)
    return json_response(user_for_admins(user_or_404(user_id)))


@app_views.get("/users/<user_id>/failures")
def show_failures(user_id: str) -> Response:
    """Show the failed sign-ins of the user, and the seconds to wait."""
    authorize(Action.LIST_FAILURES, user_id)
    found = failures_for_user(user_or_404(user_id))
    return json_response(
        {
            "count": found.number,
            "last_at": format_time(found.last_at),
            "retry_after": found.retry_after,
        }
    )


@app_views.delete("/users/<user_id>/failures")
def forget_failures(user_id: str) -> Response:
    """Unlock sign-in of the user, if the password is confirmed."""
    authorize(Action.UNLOCK_USER, user_id)
    user = user_or_404(user_id)
    require_recent_auth()
    reset_failures(user, actor=current_actor())
    return json_response({})


def _invitation_json(invitation: OpenInvitation) -> dict[str, Any]:
    """Return an open invitation as it is written in JSON."""
    return {
        **invitation._asdict(),
        "created_at": format_time(invitation.created_at),
        "expires_at": format_time(invitation.expires_at),
    }


def user_for_admins(user: User) -> dict[str, Any]:
    """Return the JSON of a user for admins, with role and status."""
    return {
        **user.to_json(),
        "role": user.role,
        "disabled_at": format_time(user.disabled_at),
        "signed_in_at": format_time(user.signed_in_at),
        "email_verified": user.email_verified_at is not None,
    }

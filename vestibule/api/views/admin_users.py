#!/usr/bin/env python3
"""Admin views to find, invite and unlock users."""

from typing import Any

from flask import Response, abort

from vestibule.accounts.permissions import Action
from vestibule.accounts.recovery import (
    parse_invitation_lifetime,
    revoke_invitation,
)
from vestibule.accounts.throttle import failures_for_user, reset_failures
from vestibule.accounts.users import invite
from vestibule.admin import cursor, filters
from vestibule.api.views.admin import (
    reset_code_json,
    user_or_404,
    wrong_format,
)
from vestibule.api.views.index import app_views
from vestibule.api.views.sessions import format_time
from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.db.invitations import OpenInvitation
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.recent_auth import require_recent_auth
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import json_response


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

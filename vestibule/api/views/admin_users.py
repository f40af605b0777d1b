#!/usr/bin/env python3
"""Admin views to find, invite and unlock users."""

from typing import Any

from flask import Response

from vestibule.accounts.permissions import Action
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
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.access import authorize, require_recent_auth
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
        )
    except InvalidValue as error:
        return json_response({"error": f"Can't create User: {error}"}, 400)
    return json_response(
        {
            "user": user_for_admins(invited.user),
            **reset_code_json(invited.code),
        },
        201,
    )


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


def user_for_admins(user: User) -> dict[str, Any]:
    """Return the JSON of a user for admins, with role and status."""
    return {
        **user.to_json(),
        "role": user.role,
        "disabled_at": format_time(user.disabled_at),
        "signed_in_at": format_time(user.signed_in_at),
        "email_verified": user.email_verified_at is not None,
    }

#!/usr/bin/env python3
"""Users as admins find, add and unlock them."""

from typing import Any

from flask import Response

from api.v1.answers import answer
from api.v1.permit import permit
from api.v1.proof import require_recent_proof
from api.v1.request import asker, current_request
from api.v1.views.admin import known_user, shown_code, wrong_format
from api.v1.views.blueprint import app_views
from api.v1.views.sessions import plain_moment
from models import directory
from models.directory import Found, Place, Sought
from models.user import User
from vestibule.accounts.invitation import Invited, invite
from vestibule.accounts.policy import Action
from vestibule.accounts.unlocking import failures_of, unlock
from vestibule.desk import filters, places
from vestibule.errors import InvalidValue


@app_views.get("/admin/users")
def find_users() -> Response:
    """Show the users that a search and filters find, by page."""
    permit(Action.FIND_USERS)
    given = current_request().args
    try:
        sought = filters.users_of(given)
        found, following = found_users(
            sought, filters.limit_of(given), given.get("after", "")
        )
    except InvalidValue as error:
        return wrong_format(error.field)
    return answer({
        "users": [user_for_admins(user) for user in found],
        "next": following,
    })


@app_views.post("/admin/users")
def invite_user() -> Response:
    """Add a user without a password; show, this once, a code to set one.
    """
    permit(Action.INVITE_USER)
    body = current_request().json_object()
    if body is None:
        return wrong_format()
    require_recent_proof()
    if body.get("email") in (None, ""):
        return answer({"error": "email missing"}, 400)
    try:
        invited = invite_as_admin(
            body["email"], body.get("first_name"), body.get("last_name")
        )
    except InvalidValue as error:
        return answer({"error": f"Can't create User: {error}"}, 400)
    return answer({
        "user": user_for_admins(invited.user), **shown_code(invited.code),
    }, 201)


@app_views.get("/admin/users/<user_id>")
def show_user_to_admins(user_id: str) -> Response:
    """Show the user with this id, and how it stands."""
    permit(Action.FIND_USERS)
    return answer(user_for_admins(known_user(user_id)))


@app_views.get("/users/<user_id>/failures")
def show_failures(user_id: str) -> Response:
    """Show how often it failed to sign in as the user, and who waits."""
    permit(Action.LIST_FAILURES, user_id)
    found = failures_of(known_user(user_id))
    return answer({
        "count": found.number,
        "last_at": plain_moment(found.last_at),
        "retry_after": found.retry_after,
    })


@app_views.delete("/users/<user_id>/failures")
def forget_failures(user_id: str) -> Response:
    """Lift the wait from the user, after a recent proof."""
    permit(Action.UNLOCK_USER, user_id)
    user = known_user(user_id)
    require_recent_proof()
    unlock_as_admin(user)
    return answer({})


def found_users(
    sought: Sought, most: int, after: str
) -> tuple[list[User], str | None]:
    """Return a page of users, and the place of the next one as text.

    Raise `InvalidValue` for a place that is none of this list.
    """
    place = places.read(after, sought)
    if place is not None and len(place) != len(Place._fields):
        raise InvalidValue("after", "is no place of this list")
    found: Found = directory.page(
        sought, most, None if place is None else Place(*place)
    )
    return found.users, (
        None if found.next is None else places.written(found.next, sought)
    )


def invite_as_admin(email: Any, first: Any, last: Any) -> Invited:
    """Add somebody for the admin who asks; raise what `invite` raises."""
    return invite(email, first, last, asker())


def unlock_as_admin(user: User) -> None:
    """Lift the wait from a user for the admin who asks."""
    unlock(user, asker())


def user_for_admins(user: User) -> dict[str, Any]:
    """Return what admins see of a user: how it stands, too."""
    return {
        **user.to_json(),
        "role": user.role,
        "disabled_at": plain_moment(user.disabled_at),
        "signed_in_at": plain_moment(user.signed_in_at),
    }

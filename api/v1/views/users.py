#!/usr/bin/env python3
"""Users: list, add, show, name, delete."""

from flask import Response, abort

from api.v1.answers import answer
from api.v1.permit import permit
from api.v1.proof import require_recent_proof
from api.v1.request import asker, current_request
from api.v1.views.blueprint import app_views
from models.user import User
from vestibule import settings
from vestibule.accounts.policy import Action
from vestibule.accounts.registration import register, set_names
from vestibule.accounts.removal import remove
from vestibule.errors import InvalidValue


@app_views.get("/users")
def list_users() -> Response:
    """Show all users."""
    permit(Action.LIST_USERS)
    return answer([user.to_json() for user in User.all()])


@app_views.get("/users/me")
def show_me() -> Response:
    """Show the user who asks."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return answer(user.to_json())


@app_views.get("/users/<user_id>")
def show_user(user_id: str) -> Response:
    """Show the user with this id."""
    permit(Action.SHOW_USER, user_id)
    user = User.get(user_id)
    if user is None:
        abort(404)
    return answer(user.to_json())


@app_views.post("/users")
def add_user() -> Response:
    """Add a user with an email, a password and perhaps names."""
    permit(Action.ADD_USER)
    body = current_request().json_object()
    if body is None:
        return answer({"error": "Wrong format"}, 400)
    for field in ("email", "password"):
        if body.get(field) in (None, ""):
            return answer({"error": f"{field} missing"}, 400)
    try:
        user = register(
            body["email"],
            body["password"],
            body.get("first_name"),
            body.get("last_name"),
            asker(),
        )
    except InvalidValue as error:
        return answer({"error": f"Can't create User: {error}"}, 400)
    return answer(user.to_json(), 201)


@app_views.put("/users/<user_id>")
def name_user(user_id: str) -> Response:
    """Set the names of the user with this id, and nothing else."""
    permit(Action.NAME_USER, user_id)
    user = User.get(user_id)
    if user is None:
        abort(404)
    body = current_request().json_object()
    if body is None:
        return answer({"error": "Wrong format"}, 400)
    try:
        set_names(user, body)
    except InvalidValue as error:
        return answer({"error": "Wrong format", "field": error.field}, 400)
    user.save_changes()
    return answer(user.to_json())


@app_views.delete("/users/<user_id>")
def delete_user(user_id: str) -> Response:
    """Delete the user with this id, and all its sessions."""
    permit(Action.DELETE_USER, user_id)
    user = User.get(user_id)
    if user is None:
        abort(404)
    if settings.REAUTH_TO_DELETE.read():
        require_recent_proof()
    remove_account(user)
    return answer({})


def remove_account(user: User) -> None:
    """Delete `user` and all its sessions; raise `LastAdmin`."""
    store = getattr(current_request().mechanism, "store", None)
    remove(user, store, asker())

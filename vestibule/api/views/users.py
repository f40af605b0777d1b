#!/usr/bin/env python3
"""Views of users and of the own account.

Users are listed, added, shown, renamed and deleted. Of the own account the
password and the email are changed, and the password is confirmed.
"""

from flask import Response, abort

from vestibule.accounts.credentials import (
    change_email,
    change_password,
)
from vestibule.accounts.mail_flows import ask_for_change
from vestibule.accounts.permissions import Action
from vestibule.accounts.users import register, remove, set_names
from vestibule.admin.filters import parse_ids
from vestibule.api.views.admin import wrong_format
from vestibule.api.views.index import app_views
from vestibule.core import access_settings, settings
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.db.user_status import find_names
from vestibule.http.access import authorize, require_email_permission
from vestibule.http.login import clear_session_cookie, set_session_cookie
from vestibule.http.recent_auth import reauthenticate_user, require_recent_auth
from vestibule.http.request import (
    current_actor,
    current_request,
    current_store,
)
from vestibule.http.responses import json_response
from vestibule.mail.notices import is_mail_on


@app_views.get("/users")
def list_users() -> Response:
    """Show all users; with `ids`, the names of these users only."""
    given = current_request().args
    if "ids" in given:
        return list_names(given.getlist("ids"))
    authorize(Action.LIST_USERS)
    return json_response([user.to_json() for user in User.all()])


def list_names(lists: list[str]) -> Response:
    """Show the names of users, which a member may see by `DIRECTORY`."""
    is_open = access_settings.DIRECTORY.read() == "names"
    if not is_open or current_actor().id is None:
        authorize(Action.FIND_USERS)
    try:
        ids = parse_ids(lists)
    except InvalidValue as error:
        return wrong_format(error.field)
    return json_response([user.to_json() for user in find_names(ids)])


@app_views.get("/users/me/access")
def show_my_access() -> Response:
    """Show the role and the groups of the authenticated user.

    They are what forward authentication sends and decides by.
    """
    user = current_request().current_user
    if user is None:
        abort(404)
    role = getattr(user, "role", None)
    groups = [] if role is None else [role]
    return json_response({"id": user.id, "role": role, "groups": groups})


@app_views.get("/users/me")
def show_me() -> Response:
    """Show the authenticated user."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return json_response(user.to_json())


@app_views.get("/users/<user_id>")
def show_user(user_id: str) -> Response:
    """Show the user with this id."""
    authorize(Action.SHOW_USER, user_id)
    user = User.get(user_id)
    if user is None:
        abort(404)
    return json_response(user.to_json())


@app_views.post("/users")
def add_user() -> Response:
    """Add a user with an email, a password and optional names."""
    authorize(Action.ADD_USER)
    body = current_request().json_object()
    if body is None:
        return json_response({"error": "Wrong format"}, 400)
    for field in ("email", "password"):
        if body.get(field) in (None, ""):
            return json_response({"error": f"{field} missing"}, 400)
    try:
        user = register(
            body["email"],
            body["password"],
            body.get("first_name"),
            body.get("last_name"),
            actor=current_actor(),
        )
    except InvalidValue as error:
        return json_response({"error": f"Can't create User: {error}"}, 400)
    return json_response(user.to_json(), 201)


@app_views.put("/users/<user_id>")
def name_user(user_id: str) -> Response:
    """Set the names of the user with this id, and nothing else."""
    authorize(Action.NAME_USER, user_id)
    user = User.get(user_id)
    if user is None:
        abort(404)
    body = current_request().json_object()
    if body is None:
        return json_response({"error": "Wrong format"}, 400)
    try:
        set_names(user, body)
    except InvalidValue as error:
        return json_response(
            {"error": "Wrong format", "field": error.field}, 400
        )
    user.save_changes()
    return json_response(user.to_json())


@app_views.delete("/users/me")
def delete_me() -> Response:
    """Delete the authenticated user, and all their sessions.

    It needs recent authentication under every profile: unlike the route
    below, no client of the contract uses it.
    """
    user = current_request().current_user
    if user is None:
        abort(404)
    require_recent_auth()
    remove(user, current_store(), actor=current_actor())
    response = json_response({})
    clear_session_cookie(response)
    return response


@app_views.delete("/users/<user_id>")
def delete_user(user_id: str) -> Response:
    """Delete the user with this id, and all its sessions."""
    authorize(Action.DELETE_USER, user_id)
    user = User.get(user_id)
    if user is None:
        abort(404)
    if settings.REAUTH_TO_DELETE.read():
        require_recent_auth()
    remove(user, current_store(), actor=current_actor())
    return json_response({})


@app_views.put("/users/me/password")
def put_password() -> Response:
    """Change the password; all other sessions end, this one is renewed."""
    user, body = _user(), current_request().json_object()
    if body is None:
        return json_response({"error": "Wrong format"}, 400)
    for field in ("current_password", "new_password"):
        if body.get(field) in (None, ""):
            return json_response({"error": f"{field} missing"}, 400)
        if not isinstance(body[field], str):
            raise InvalidValue(field, "must be a string", code="invalid")
    renewed = change_own_password(
        user, body["current_password"], body["new_password"]
    )
    return set_session_cookie(json_response(user.to_json()), renewed)


@app_views.put("/users/me/email")
def put_email() -> Response:
    """Change the email, if the password was confirmed recently.

    With mail, the new address gets a link, whose use changes the email.
    """
    user, body = _user(), current_request().json_object()
    if body is None:
        return json_response({"error": "Wrong format"}, 400)
    if body.get("email") in (None, ""):
        return json_response({"error": "email missing"}, 400)
    require_email_permission()
    require_recent_auth()
    if is_mail_on():
        ask_for_change(user, body["email"], actor=current_actor())
        return json_response({}, 202)
    change_email(user, body["email"], actor=current_actor())
    return json_response(user.to_json())


@app_views.post("/auth_session/refresh")
def refresh() -> Response:
    """Confirm the password; the session gets a new id."""
    user = _user()
    if not current_request().sessions.has_store:
        abort(404)
    password = current_request().text_fields().get("password")
    if not password:
        return json_response({"error": "password missing"}, 400)
    renewed = reauthenticate_user(user, password)
    return set_session_cookie(json_response(user.to_json()), renewed)


def change_own_password(user: User, current: str, new: str) -> str | None:
    """Change the password of the request's user; end the other sessions.

    Return the new id of the request's session, or `None` if it ended
    meanwhile. Raise what `change_password` raises.
    """
    sessions = current_request().sessions
    session_id = sessions.session_cookie(current_request())
    return change_password(
        user, current, new, sessions.store, session_id, actor=current_actor()
    )


def _user() -> User:
    """Return the authenticated user; 404 if there is none."""
    user = current_request().current_user
    if user is None:
        abort(404)
    return user

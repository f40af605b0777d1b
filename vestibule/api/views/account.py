#!/usr/bin/env python3
"""Views of the own account: password, email, confirmation of the password."""

from flask import Response, abort

from vestibule.accounts.credentials import (
    change_email,
    change_password,
)
from vestibule.accounts.mail_flows import ask_for_change
from vestibule.api.views.index import app_views
from vestibule.core.errors import InvalidValue
from vestibule.db.models.user import User
from vestibule.http.access import require_email_permission
from vestibule.http.login import set_session_cookie
from vestibule.http.recent_auth import reauthenticate_user, require_recent_auth
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import json_response
from vestibule.mail.notices import is_mail_on


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

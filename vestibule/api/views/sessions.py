#!/usr/bin/env python3
"""The current user's sessions: list them, end one, end the others."""

from datetime import datetime
from typing import Any

from flask import Response, abort

from vestibule.accounts.revocation import revoke_others, revoke_own
from vestibule.api.views.index import app_views
from vestibule.core import settings
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.http.responses import json_response
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions import cookie
from vestibule.sessions.device import device_name
from vestibule.sessions.lifetime import Limits, expires_at, expiry_reason
from vestibule.sessions.session import Session


@app_views.get("/auth_session/sessions")
def list_sessions() -> Response:
    """Show the live sessions of the current user, newest first."""
    auth, user = current_mechanism_and_user()
    return json_response(
        sessions_json(auth, user.id, current_request().session)
    )


@app_views.delete("/auth_session/sessions/<handle>")
def end_session(handle: str) -> Response:
    """End the session with this handle, if it is the current user's."""
    auth, user = current_mechanism_and_user()
    current = current_request().session
    if not revoke_own(auth.store, user.id, handle):
        abort(404)
    response = json_response({})
    name = settings.SESSION_NAME.read()
    if current is not None and current.id == handle and name is not None:
        cookie.clear_on(response, name, current_request().is_secure)
    return response


@app_views.delete("/auth_session/sessions")
def end_other_sessions() -> Response:
    """End all sessions of the current user except this one."""
    auth, user = current_mechanism_and_user()
    ended = revoke_others(auth.store, user.id, current_request().session)
    return json_response({"ended": ended})


def current_mechanism_and_user() -> tuple[SessionMechanism, User]:
    """Return the mechanism's sessions and the current user.

    404 if the mechanism keeps no sessions, or the request is anonymous.
    """
    auth, user = current_request().sessions, current_request().current_user
    if user is None or not auth.has_store:
        abort(404)
    return auth, user


def sessions_json(
    auth: SessionMechanism, user_id: str, current: Session | None
) -> list[dict[str, Any]]:
    """Return the live sessions of a user for a JSON response."""
    limits, now = auth.limits(), auth.now()
    return [
        session_json(session, limits, current)
        for session in auth.store.listed(user_id)
        if expiry_reason(session, limits, now) is None
    ]


def session_json(
    session: Session, limits: Limits, current: Session | None
) -> dict[str, Any]:
    """Return what the owner of a session may see of it."""
    return {
        "id": session.id,
        "current": current is not None and session.id == current.id,
        "created_at": format_time(session.created_at),
        "last_seen_at": format_time(session.last_seen_at),
        "expires_at": format_time(expires_at(session, limits)),
        "ip": session.ip,
        "user_agent": session.user_agent,
        "device": device_name(session.user_agent),
        "method": session.method,
    }


def format_time(value: datetime | None) -> str | None:
    """Return a time as `to_json` formats it."""
    return None if value is None else value.strftime("%Y-%m-%d %H:%M:%S")

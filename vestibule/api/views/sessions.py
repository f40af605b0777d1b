#!/usr/bin/env python3
"""The sessions of the one who asks: see them, end one, end the others."""

from datetime import datetime
from typing import Any

from flask import Response, abort

from vestibule.accounts.revocation import revoke_others, revoke_own
from vestibule.api.views.blueprint import app_views
from vestibule.core import settings
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.http.responses import json_response
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions import cookie
from vestibule.sessions.device import device_name
from vestibule.sessions.lifetime import Limits, expires_at, expiry_reason
from vestibule.sessions.session import Session


@app_views.get("/auth_session/sessions")
def list_sessions() -> Response:
    """Show the live sessions of the user who asks, newest first."""
    auth, user = current_mechanism_and_user()
    return json_response(sessions_json(auth, user.id, current_session(auth)))


@app_views.delete("/auth_session/sessions/<handle>")
def end_session(handle: str) -> Response:
    """End the session with this handle, if it is the user's own."""
    auth, user = current_mechanism_and_user()
    current = current_session(auth)
    if not revoke_own_session(auth, user, handle):
        abort(404)
    response = json_response({})
    name = settings.SESSION_NAME.read()
    if current is not None and current.id == handle and name is not None:
        cookie.clear_on(response, name, current_request().is_secure)
    return response


@app_views.delete("/auth_session/sessions")
def end_other_sessions() -> Response:
    """End all sessions of the user but the one that asks."""
    return json_response(
        {"ended": revoke_other_sessions(*current_mechanism_and_user())}
    )


def revoke_own_session(auth: SessionAuth, user: User, handle: str) -> bool:
    """End the user's session with this handle; tell if it was there."""
    return revoke_own(auth.store, user.id, handle)


def revoke_other_sessions(auth: SessionAuth, user: User) -> int:
    """End the user's sessions but the one that asks; count them."""
    current = current_session(auth)
    keep = None if current is None else current.id
    return revoke_others(auth.store, user.id, keep)


def current_mechanism_and_user() -> tuple[SessionAuth, User]:
    """Return the mechanism and the user who asks.

    404 where there are no sessions, or nobody is known.
    """
    auth, user = current_request().mechanism, current_request().current_user
    if user is None or not isinstance(auth, SessionAuth):
        abort(404)
    return auth, user


def current_session(auth: SessionAuth) -> Session | None:
    """Return the session whose cookie came with the request."""
    session_id = auth.session_cookie(current_request())
    return None if session_id is None else auth.store.find(session_id)


def sessions_json(
    auth: SessionAuth, user_id: str, current: Session | None
) -> list[dict[str, Any]]:
    """Return the live sessions of a user as JSON has them."""
    limits, now = auth.limits(), auth.now()
    return [
        session_json(session, limits, current)
        for session in auth.store.listed(user_id)
        if expiry_reason(session, limits, now) is None
    ]


def session_json(
    session: Session, limits: Limits, current: Session | None
) -> dict[str, Any]:
    """Return what a session's owner may know of it."""
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
    """Return a moment as `to_json` writes it."""
    return None if value is None else value.strftime("%Y-%m-%d %H:%M:%S")

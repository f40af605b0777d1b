#!/usr/bin/env python3
"""The current user's sessions and trusted browsers: list and end them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, abort

from vestibule.accounts.revocation import (
    revoke_others,
    revoke_own,
    untrust_browser,
)
from vestibule.admin import cursor, filters
from vestibule.api.views.index import app_views
from vestibule.core import page_settings, settings
from vestibule.core.client_info import device_name
from vestibule.core.errors import InvalidValue
from vestibule.db.host_sessions import hosts_by_parent
from vestibule.db.models.user import User
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import json_response
from vestibule.http.second_step import browsers_trusted_by
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions import cookie as session_cookies
from vestibule.sessions.facts import facts_of_session, level_of
from vestibule.sessions.lifetime import Limits, expires_at
from vestibule.sessions.session import Session
from vestibule.sessions.store import SessionStore


@app_views.get("/auth_session/sessions")
def list_sessions() -> Response:
    """Show a page of the current user's live sessions, newest first."""
    auth, user = current_mechanism_and_user()
    return session_list(auth, user.id)


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
        session_cookies.clear_on(response, name, current_request().is_secure)
    return response


@app_views.delete("/auth_session/sessions")
def end_other_sessions() -> Response:
    """End all sessions of the current user except this one."""
    auth, user = current_mechanism_and_user()
    ended = revoke_others(auth.store, user.id, current_request().session)
    return json_response({"ended": ended})


@app_views.get("/auth_session/trusted-browsers")
def list_trusted_browsers() -> Response:
    """Show the browsers that the current user trusts, newest first."""
    auth, user = current_mechanism_and_user()
    return json_response(trusted_browsers_json(user, auth))


@app_views.delete("/auth_session/trusted-browsers/<browser_id>")
def stop_trusting_browser(browser_id: str) -> Response:
    """End the current user's trust in a browser."""
    user = current_mechanism_and_user()[1]
    if not untrust_browser(user.id, browser_id, current_actor()):
        abort(404)
    return json_response({})


def current_mechanism_and_user() -> tuple[SessionMechanism, User]:
    """Return the mechanism's sessions and the current user.

    404 if the mechanism keeps no sessions, or the request is anonymous.
    """
    auth, user = current_request().sessions, current_request().current_user
    if user is None or not auth.has_store:
        abort(404)
    return auth, user


def session_list(auth: SessionMechanism, user_id: str) -> Response:
    """Return the page of a user's live sessions that the query selects.

    The address of the next page is in the header `Link` (RFC 8288). 400
    for an invalid `limit` or `after`.
    """
    request = current_request()
    wanted = filters.SessionFilter(user_id)
    source = filters.SessionSource(auth.store, auth.limits(), auth.now())
    try:
        most = filters.parse_limit(request.args, filters.MAX_PAGE_ROWS)
        found = cursor.search_sessions(
            source, wanted, most, request.args.get("after", "")
        )
    except InvalidValue as error:
        return json_response({"error": str(error)}, 400)
    response = json_response(
        with_applications(
            auth.store,
            [
                session_json(session, source.limits, request.session)
                for session in found.sessions
            ],
        )
    )
    if found.next is not None:
        query = urlencode({"limit": most, "after": found.next})
        path = quote(f"{request.base_path}{request.path}")
        response.headers["Link"] = f'<{path}?{query}>; rel="next"'
    return response


def session_json(
    session: Session, limits: Limits, current: Session | None
) -> dict[str, Any]:
    """Return what the owner of a session may see of it."""
    facts = facts_of_session(session)
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
        "methods": list(facts.methods),
        "level": level_of(facts),
    }


def trusted_browsers_json(
    user: User, auth: SessionMechanism
) -> list[dict[str, Any]]:
    """Return the browsers that a user trusts now, newest first."""
    return [
        {
            "id": browser.id,
            "created_at": format_time(browser.created_at),
            "expires_at": format_time(browser.expires_at),
            "ip": browser.ip,
            "user_agent": browser.user_agent,
            "device": device_name(browser.user_agent),
        }
        for browser in browsers_trusted_by(user, auth)
    ]


def with_applications(
    store: SessionStore, listed: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return listed sessions with the hosts of their applications.

    Only where `APP_HOSTS` is set: other clients know no such key.
    """
    if not page_settings.APP_HOSTS.read():
        return listed
    hosts = applications_of(store, [each["id"] for each in listed])
    return [
        each | {"applications": hosts.get(each["id"], [])} for each in listed
    ]


def applications_of(
    store: SessionStore, handles: Sequence[str]
) -> dict[str, list[str]]:
    """Return the hosts whose sessions hang on those with these handles.

    There are none in memory, nor without `APP_HOSTS`.
    """
    if not (store.in_database and page_settings.APP_HOSTS.read()):
        return {}
    return hosts_by_parent(handles)


def format_time(value: datetime | None) -> str | None:
    """Return a time as `to_json` formats it."""
    return None if value is None else value.strftime("%Y-%m-%d %H:%M:%S")

#!/usr/bin/env python3
"""How a person comes in and goes out, by the API and by pages alike."""

from typing import Any

from flask import Response, request

from vestibule.accounts.authentication import is_still_valid
from vestibule.audit.log import EventType, log
from vestibule.core import settings
from vestibule.core.client_info import current_client, set_client
from vestibule.core.errors import SessionNotCreated
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions import cookie
from vestibule.sessions.session import EndReason

#: Bytes of a login form; the longest honest one has some hundred.
MAX_FORM_BYTES = 65_536


def log_in(auth: Any, user: User) -> str | None:
    """Begin a session of `user`, whose password was checked just now.

    Return its id, or `None` if what was checked does not hold any more.
    """
    _end_former(auth)
    set_client(current_client()._replace(method="password"))
    session_id = auth.create_session(user.id)
    if not isinstance(session_id, str) or not session_id:
        raise SessionNotCreated(type(auth).__name__)
    store = getattr(auth, "store", None)
    if store is not None and not is_still_valid(user):
        store.end(session_id, EndReason.PASSWORD_CHANGED)
        return None
    log(EventType.LOGIN, user=user.id, handle=_handle(store, session_id))
    return session_id


def log_out(auth: Any) -> bool:
    """End the session that the cookie names; tell if there was one."""
    store = getattr(auth, "store", None)
    cookie_of = getattr(auth, "session_cookie", lambda _: None)
    handle = _handle(store, cookie_of(request))
    if not auth.destroy_session(request):
        return False
    user = getattr(current_request().current_user, "id", None)
    log(EventType.LOGOUT, user=user, handle=handle)
    return True


def clear_session_cookie(response: Response) -> None:
    """Make the browser drop the cookie, and what pages kept."""
    # What pages kept. Not "cookies": that would take those of all other
    # applications under the same domain along.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    name = settings.SESSION_NAME.read()
    if name is not None:
        cookie.clear_on(response, name, request.is_secure)


def _end_former(auth: Any) -> None:
    """End the session that came along with a login.

    What somebody slipped a person before the login is worth nothing after
    it (ASVS 5.0, 7.2.4). A mechanism of somebody's own may have sessions
    in no store of ours, and perhaps no way to end them.
    """
    if isinstance(auth, SessionAuth):
        former = auth.session_cookie(request)
        # One that is dead already keeps the reason of its own.
        if former and auth.user_id_for_session_id(former) is not None:
            auth.store.end(former, EndReason.REPLACED)
    destroy_session = getattr(auth, "destroy_session", None)
    if destroy_session is not None:
        destroy_session(request)


def _handle(store: Any, session_id: Any) -> str | None:
    """Return the public handle of a session, for the log."""
    if store is None or not isinstance(session_id, str):
        return None
    session = store.find(session_id)
    return None if session is None else str(session.id)

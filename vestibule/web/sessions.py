#!/usr/bin/env python3
"""The page of the user's own sessions, with buttons that end them.

The current session is always listed and cannot be ended here; the user
signs out instead.
"""

from collections.abc import Sequence

from flask import Response

from vestibule.accounts.revocation import revoke_others, revoke_own
from vestibule.api.views.sessions import (
    applications_of,
    current_mechanism_and_user,
)
from vestibule.core.errors import ServiceBusy, VestibuleError
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions.lifetime import expiry_reason
from vestibule.sessions.session import Session
from vestibule.web.activity import device_label
from vestibule.web.i18n import gettext
from vestibule.web.messages import Message
from vestibule.web.routes import SESSIONS, pages
from vestibule.web.templating import page, redirect

#: Sessions per page.
PAGE_ROWS = 10


@pages.get(SESSIONS)
def show_sessions() -> Response:
    """Show the current session, then the others, newest first."""
    return _sessions_page(200)


@pages.post(f"{SESSIONS}/end")
def end_own_session_page() -> Response:
    """End the session that the form names, if it belongs to the user."""
    auth, user = current_mechanism_and_user()
    handle = current_request().form.get("session", "")
    current = current_request().session
    if current is not None and current.id == handle:
        return _sessions_page(
            400,
            gettext(
                "This is the session that you are using. To end it, sign out."
            ),
        )
    try:
        ended = revoke_own(auth.store, user.id, handle)
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Message.SESSION_ENDED if ended else Message.SESSION_GONE
    )


@pages.post(f"{SESSIONS}/end-others")
def end_other_sessions_page() -> Response:
    """End all sessions of the user except the current one."""
    auth, user = current_mechanism_and_user()
    try:
        ended = revoke_others(auth.store, user.id, current_request().session)
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Message.OTHERS_ENDED if ended else Message.NO_OTHERS
    )


def _failed(error: VestibuleError) -> Response:
    """Return the page that says that not all sessions were ended."""
    if error.status < 500:
        raise error
    response = _sessions_page(
        error.status,
        gettext(
            "This could not be done right now. The sessions "
            "listed here are still live. Try again in a moment."
        ),
    )
    if isinstance(error, ServiceBusy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _sessions_page(status: int, alert: str | None = None) -> Response:
    """Return the page of sessions that the request's cursor selects."""
    auth, user = current_mechanism_and_user()
    current = current_request().session
    cursor = current_request().args.get("place")
    found, next_cursor = _live_sessions(auth, user, cursor)
    others = [
        each for each in found if current is None or each.id != current.id
    ]
    return page(
        "sessions.html",
        status,
        alert=alert,
        current=current,
        others=others,
        is_first=not cursor,
        next=next_cursor,
        device_label=device_label,
        hosts=applications_of(
            auth.store,
            [each.id for each in (current, *found) if each is not None],
        ),
    )


def _live_sessions(
    auth: SessionMechanism, user: User, cursor: str | None
) -> tuple[Sequence[Session], str | None]:
    """Return a page of live sessions, and the cursor of the next page.

    Expired sessions that are not deleted yet are skipped.
    """
    limits, now = auth.limits(), auth.now()
    found: list[Session] = []
    while True:
        rows, cursor = auth.store.page(user.id, PAGE_ROWS, cursor)
        found += [
            each for each in rows if expiry_reason(each, limits, now) is None
        ]
        if cursor is None or len(found) >= PAGE_ROWS:
            return found, cursor

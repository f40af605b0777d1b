#!/usr/bin/env python3
"""My sessions: where I am signed in, and how to end that.

Its law: the session that asks is always shown and never ended here; for
that there is signing out.
"""

from collections.abc import Sequence

from flask import Response

from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    revoke_other_sessions,
    revoke_own_session,
)
from vestibule.core.errors import ServiceBusy, VestibuleError
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions.lifetime import expiry_reason
from vestibule.sessions.session import Session
from vestibule.web.activity import device_label
from vestibule.web.flash import Message
from vestibule.web.i18n import gettext
from vestibule.web.routes import SESSIONS, pages
from vestibule.web.templating import page, redirect

#: Sessions on a page.
PAGE_ROWS = 10


@pages.get(SESSIONS)
def show_sessions() -> Response:
    """Show this session first, then the others, newest first."""
    return _shown(200)


@pages.post(f"{SESSIONS}/end")
def end_session_here() -> Response:
    """End the session that the form names, if it is one of the user's."""
    auth, user = current_mechanism_and_user()
    handle = current_request().form.get("session", "")
    current = current_request().session
    if current is not None and current.id == handle:
        return _shown(
            400,
            gettext(
                "This is the session that you are using. To end it, sign out."
            ),
        )
    try:
        ended = revoke_own_session(auth, user, handle)
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Message.SESSION_ENDED if ended else Message.SESSION_GONE
    )


@pages.post(f"{SESSIONS}/end-others")
def end_other_sessions_here() -> Response:
    """End all sessions of the user but the one that asks."""
    try:
        ended = revoke_other_sessions(*current_mechanism_and_user())
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Message.OTHERS_ENDED if ended else Message.NO_OTHERS
    )


def _failed(error: VestibuleError) -> Response:
    """Return the page that says that nothing, or not all, was ended."""
    if error.status < 500:
        raise error
    response = _shown(
        error.status,
        gettext(
            "That could not be done just now, and what is listed here is still"
            " open. Try again in a moment."
        ),
    )
    if isinstance(error, ServiceBusy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _shown(status: int, alert: str | None = None) -> Response:
    """Return the page of sessions, from the place that is asked for."""
    auth, user = current_mechanism_and_user()
    current = current_request().session
    place = current_request().args.get("place")
    found, following = _live(auth, user, place)
    others = [
        each for each in found if current is None or each.id != current.id
    ]
    return page(
        "sessions.html",
        status,
        alert=alert,
        current=current,
        others=others,
        is_first=not place,
        next=following,
        device=device_label,
    )


def _live(
    auth: SessionMechanism, user: User, place: str | None
) -> tuple[Sequence[Session], str | None]:
    """Return a page of live sessions, and the place of the next one.

    Those that are dead but not swept yet leave room for others.
    """
    limits, now = auth.limits(), auth.now()
    found: list[Session] = []
    while True:
        some, place = auth.store.page(user.id, PAGE_ROWS, place)
        found += [
            each for each in some if expiry_reason(each, limits, now) is None
        ]
        if place is None or len(found) >= PAGE_ROWS:
            return found, place

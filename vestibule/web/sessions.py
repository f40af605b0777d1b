#!/usr/bin/env python3
"""My sessions: where I am signed in, and how to end that.

Its law: the session that asks is always shown and never ended here; for
that there is signing out.
"""

from collections.abc import Sequence

from flask import Response

from api.v1.auth.session_auth import SessionAuth
from api.v1.request import current_request
from api.v1.views.sessions import (
    asking,
    current_session,
    end_one,
    end_others,
)
from models.user import User
from vestibule.errors import Busy, VestibuleError
from vestibule.sessions.lifetime import why_dead
from vestibule.sessions.record import Session
from vestibule.web.addresses import SESSIONS
from vestibule.web.blueprint import pages
from vestibule.web.devices import device
from vestibule.web.language import gettext
from vestibule.web.notices import Notice
from vestibule.web.rendering import page, redirect

#: Sessions on a page.
MOST = 10


@pages.get(SESSIONS)
def show_sessions() -> Response:
    """Show this session first, then the others, newest first."""
    return _shown(200)


@pages.post(f"{SESSIONS}/end")
def end_session_here() -> Response:
    """End the session that the form names, if it is one of the user's."""
    auth, user = asking()
    handle = current_request().form.get("session", "")
    current = current_session(auth)
    if current is not None and current.id == handle:
        return _shown(400, gettext(
            "This is the session that you are using. To end it, sign out."
        ))
    try:
        ended = end_one(auth, user, handle)
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Notice.SESSION_ENDED if ended else Notice.SESSION_GONE
    )


@pages.post(f"{SESSIONS}/end-others")
def end_other_sessions_here() -> Response:
    """End all sessions of the user but the one that asks."""
    try:
        ended = end_others(*asking())
    except VestibuleError as error:
        return _failed(error)
    return redirect(
        SESSIONS, Notice.OTHERS_ENDED if ended else Notice.NO_OTHERS
    )


def _failed(error: VestibuleError) -> Response:
    """Return the page that says that nothing, or not all, was ended."""
    if error.status < 500:
        raise error
    response = _shown(error.status, gettext(
        "That could not be done just now, and what is listed here is still"
        " open. Try again in a moment."
    ))
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _shown(status: int, alert: str | None = None) -> Response:
    """Return the page of sessions, from the place that is asked for."""
    auth, user = asking()
    current = current_session(auth)
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
        device=device,
    )


def _live(
    auth: SessionAuth, user: User, place: str | None
) -> tuple[Sequence[Session], str | None]:
    """Return a page of live sessions, and the place of the next one.

    Those that are dead but not swept yet leave room for others.
    """
    limits, now = auth.limits(), auth.now()
    found: list[Session] = []
    while True:
        some, place = auth.store.page(user.id, MOST, place)
        found += [
            each for each in some if why_dead(each, limits, now) is None
        ]
        if place is None or len(found) >= MOST:
            return found, place

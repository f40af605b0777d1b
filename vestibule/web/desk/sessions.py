#!/usr/bin/env python3
"""The desk's sessions: who is in now, and how to end that."""

from flask import Response

from api.v1.permit import permit
from api.v1.request import current_request
from api.v1.views.account import with_session
from api.v1.views.admin import end_as_admin, end_one_as_admin
from api.v1.views.overview import live_sessions
from api.v1.views.sessions import asking, current_session
from vestibule import settings
from vestibule.accounts.policy import Action
from vestibule.desk import filters
from vestibule.desk.sessions import LivePage
from vestibule.errors import VestibuleError
from vestibule.sessions.record import Session
from vestibule.web.addresses import DESK_SESSIONS, desk_user
from vestibule.web.blueprint import pages
from vestibule.web.desk.listing import MOST, Typed, names_of
from vestibule.web.devices import device
from vestibule.web.language import gettext
from vestibule.web.notices import Notice
from vestibule.web.proving import (
    Told,
    answered,
    keep_session,
    missing,
    proof_of,
)
from vestibule.web.rendering import page, redirect

_END = f"{DESK_SESSIONS}/end"
_END_ALL = f"{DESK_SESSIONS}/end-all"


@pages.get(DESK_SESSIONS)
def show_all_sessions() -> Response:
    """Show everybody's live sessions, the newest first."""
    permit(Action.LIST_ALL_SESSIONS)
    auth, typed = asking()[0], Typed("user", "network", "device")
    found = typed.found(
        lambda: live_sessions(
            auth, filters.sessions_of(typed.values), MOST, typed.after
        ),
        LivePage([], None),
    )
    current = current_session(auth)
    return page(
        "desk_sessions.html",
        typed.status,
        sessions=found.sessions,
        current=current and current.id,
        names=names_of(each.user_id for each in found.sessions),
        typed=typed,
        first=typed.address(DESK_SESSIONS),
        next=found.next and typed.address(DESK_SESSIONS, after=found.next),
        device=device,
    )


@pages.get(_END)
def ask_about_session() -> Response:
    """Ask whether a session is to be ended."""
    permit(Action.END_ANY_SESSION)
    session = _named(current_request().args.get("session", ""))
    if session is None:
        return redirect(DESK_SESSIONS, Notice.SESSION_GONE)
    return _question(session)


@pages.post(_END)
def end_any_session_here() -> Response:
    """End a session, with a proof of the password if none is recent."""
    permit(Action.END_ANY_SESSION)
    form, (auth, admin) = current_request().form, asking()
    session = _named(form.get("session", ""))
    if session is None:
        return redirect(DESK_SESSIONS, Notice.SESSION_GONE)
    told, renewed = proof_of(admin, form.get("password", ""), "password")
    if told is not None:
        return _question(session, told)
    try:
        ended = end_one_as_admin(auth, session.id)
    except VestibuleError:
        keep_session(renewed)
        raise
    return with_session(redirect(
        desk_user(session.user_id)
        if session.user_id in names_of([session.user_id])
        else DESK_SESSIONS,
        Notice.SESSION_ENDED if ended else Notice.SESSION_GONE,
    ), renewed)


@pages.get(_END_ALL)
def ask_about_all_sessions() -> Response:
    """Ask whether everybody is to be signed out."""
    permit(Action.END_ALL_SESSIONS)
    return _great_question()


@pages.post(_END_ALL)
def end_all_sessions_here() -> Response:
    """End everybody's sessions, once the service's name was typed."""
    permit(Action.END_ALL_SESSIONS)
    form, (auth, admin) = current_request().form, asking()
    told: Told | None = None
    typed = form.get("name", "").strip().casefold()
    if not typed:
        told = missing(None, "name")
    elif typed != settings.BRAND_NAME.read().strip().casefold():
        told = Told(400, {"name": gettext("This is not the name.")})
    if told is not None:
        return _great_question(told)
    told, renewed = proof_of(admin, form.get("password", ""), "password")
    if told is not None:
        return _great_question(told)
    try:
        end_as_admin(auth, None)
    except VestibuleError:
        keep_session(renewed)
        raise
    return with_session(redirect(DESK_SESSIONS), renewed)


def _named(handle: str) -> Session | None:
    """Return the session with this handle, if it is there."""
    return asking()[0].store.named(handle)


def _question(session: Session, told: Told | None = None) -> Response:
    """Return the page that asks about one session."""
    current = current_session(asking()[0])
    return answered(
        "desk_end_session.html",
        told,
        False,
        session=session,
        current=current and current.id,
        names=names_of([session.user_id]),
        device=device,
    )


def _great_question(told: Told | None = None) -> Response:
    """Return the page that asks about all sessions."""
    typed = current_request().form.get("name", "")
    return answered("desk_end_all.html", told, False, typed=typed)

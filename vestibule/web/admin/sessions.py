#!/usr/bin/env python3
"""The desk's sessions: who is in now, and how to end that."""

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin import filters
from vestibule.admin.filters import LiveSessionPage
from vestibule.api.views.account import set_session_cookie
from vestibule.api.views.admin import (
    revoke_session_as_admin,
    revoke_sessions_as_admin,
)
from vestibule.api.views.admin_activity import search_sessions
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    current_session,
)
from vestibule.core import settings
from vestibule.core.errors import VestibuleError
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.sessions.session import Session
from vestibule.web.activity import device_label
from vestibule.web.admin.lists import PAGE_ROWS, FilterForm, user_names
from vestibule.web.flash import Message
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    render_form,
    require_field,
)
from vestibule.web.i18n import gettext
from vestibule.web.routes import ADMIN_SESSIONS, admin_user_path, pages
from vestibule.web.templating import page, redirect

_END = f"{ADMIN_SESSIONS}/end"
_END_ALL = f"{ADMIN_SESSIONS}/end-all"


@pages.get(ADMIN_SESSIONS)
def show_all_sessions() -> Response:
    """Show everybody's live sessions, the newest first."""
    authorize(Action.LIST_ALL_SESSIONS)
    auth, typed = (
        current_mechanism_and_user()[0],
        FilterForm("user", "network", "device"),
    )
    found = typed.found(
        lambda: search_sessions(
            auth,
            filters.parse_session_filter(typed.values),
            PAGE_ROWS,
            typed.after,
        ),
        LiveSessionPage([], None),
    )
    current = current_session(auth)
    return page(
        "admin_sessions.html",
        typed.status,
        sessions=found.sessions,
        current=current and current.id,
        names=user_names(each.user_id for each in found.sessions),
        typed=typed,
        first=typed.address(ADMIN_SESSIONS),
        next=found.next and typed.address(ADMIN_SESSIONS, after=found.next),
        device=device_label,
    )


@pages.get(_END)
def ask_about_session() -> Response:
    """Ask whether a session is to be ended."""
    authorize(Action.END_ANY_SESSION)
    session = _named(current_request().args.get("session", ""))
    if session is None:
        return redirect(ADMIN_SESSIONS, Message.SESSION_GONE)
    return _question(session)


@pages.post(_END)
def end_any_session_here() -> Response:
    """End a session, with a proof of the password if none is recent."""
    authorize(Action.END_ANY_SESSION)
    form, (auth, admin) = current_request().form, current_mechanism_and_user()
    session = _named(form.get("session", ""))
    if session is None:
        return redirect(ADMIN_SESSIONS, Message.SESSION_GONE)
    told, renewed = check_password_field(
        admin, form.get("password", ""), "password"
    )
    if told is not None:
        return _question(session, told)
    try:
        ended = revoke_session_as_admin(auth, session.id)
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    return set_session_cookie(
        redirect(
            admin_user_path(session.user_id)
            if session.user_id in user_names([session.user_id])
            else ADMIN_SESSIONS,
            Message.SESSION_ENDED if ended else Message.SESSION_GONE,
        ),
        renewed,
    )


@pages.get(_END_ALL)
def ask_about_all_sessions() -> Response:
    """Ask whether everybody is to be signed out."""
    authorize(Action.END_ALL_SESSIONS)
    return _great_question()


@pages.post(_END_ALL)
def end_all_sessions_here() -> Response:
    """End everybody's sessions, once the service's name was typed."""
    authorize(Action.END_ALL_SESSIONS)
    form, (auth, admin) = current_request().form, current_mechanism_and_user()
    told: FormErrors | None = None
    typed = form.get("name", "").strip().casefold()
    if not typed:
        told = require_field(None, "name")
    elif typed != settings.BRAND_NAME.read().strip().casefold():
        told = FormErrors(400, {"name": gettext("This is not the name.")})
    if told is not None:
        return _great_question(told)
    told, renewed = check_password_field(
        admin, form.get("password", ""), "password"
    )
    if told is not None:
        return _great_question(told)
    try:
        revoke_sessions_as_admin(auth, None)
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    return set_session_cookie(redirect(ADMIN_SESSIONS), renewed)


def _named(handle: str) -> Session | None:
    """Return the session with this handle, if it is there."""
    return current_mechanism_and_user()[0].store.named(handle)


def _question(session: Session, told: FormErrors | None = None) -> Response:
    """Return the page that asks about one session."""
    current = current_session(current_mechanism_and_user()[0])
    return render_form(
        "admin_end_session.html",
        told,
        False,
        session=session,
        current=current and current.id,
        names=user_names([session.user_id]),
        device=device_label,
    )


def _great_question(told: FormErrors | None = None) -> Response:
    """Return the page that asks about all sessions."""
    typed = current_request().form.get("name", "")
    return render_form("admin_end_all_sessions.html", told, False, typed=typed)

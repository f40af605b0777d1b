#!/usr/bin/env python3
"""The live sessions of all users, and the pages that end them."""

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.accounts.revocation import revoke, revoke_all
from vestibule.admin import filters
from vestibule.admin.cursor import search_sessions
from vestibule.admin.filters import LiveSessionPage, SessionSource
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
)
from vestibule.core import page_settings
from vestibule.core.errors import VestibuleError
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_actor, current_request
from vestibule.sessions.session import Session
from vestibule.web.activity import device_label
from vestibule.web.admin.lists import PAGE_ROWS, FilterForm, user_names
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    render_form,
    require_field,
)
from vestibule.web.i18n import gettext
from vestibule.web.messages import Message
from vestibule.web.routes import ADMIN_SESSIONS, admin_user_path, pages
from vestibule.web.templating import page, redirect

_END = f"{ADMIN_SESSIONS}/end"
_END_ALL = f"{ADMIN_SESSIONS}/end-all"


@pages.get(ADMIN_SESSIONS)
def show_all_sessions() -> Response:
    """Show the live sessions that the filter selects, newest first."""
    authorize(Action.LIST_ALL_SESSIONS)
    auth = current_mechanism_and_user()[0]
    form = FilterForm("user", "network", "device")
    found = form.run(
        lambda: search_sessions(
            SessionSource(auth.store, auth.limits(), auth.now()),
            filters.parse_session_filter(form.values),
            PAGE_ROWS,
            form.cursor,
        ),
        LiveSessionPage([], None),
    )
    current = current_request().session
    return page(
        "admin_sessions.html",
        form.status,
        sessions=found.sessions,
        current=current and current.id,
        names=user_names(each.user_id for each in found.sessions),
        filter=form,
        first=form.url(ADMIN_SESSIONS),
        next=form.next_url(ADMIN_SESSIONS, found.next),
        device_label=device_label,
    )


@pages.get(_END)
def confirm_end_session() -> Response:
    """Ask to confirm that a session is to be ended."""
    authorize(Action.END_ANY_SESSION)
    session = _session(current_request().args.get("session", ""))
    if session is None:
        return redirect(ADMIN_SESSIONS, Message.SESSION_GONE)
    return _confirm_session_page(session)


@pages.post(_END)
def end_any_session_page() -> Response:
    """End a session, after recent authentication of the admin."""
    authorize(Action.END_ANY_SESSION)
    form, (auth, admin) = current_request().form, current_mechanism_and_user()
    session = _session(form.get("session", ""))
    if session is None:
        return redirect(ADMIN_SESSIONS, Message.SESSION_GONE)
    problem, renewed = check_password_field(admin, form.get("password", ""))
    if problem is not None:
        return _confirm_session_page(session, problem)
    try:
        ended = revoke(auth.store, session.id, current_actor())
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
def confirm_end_all_sessions() -> Response:
    """Ask to confirm that all sessions of all users are to be ended."""
    authorize(Action.END_ALL_SESSIONS)
    return _confirm_all_page()


@pages.post(_END_ALL)
def end_all_sessions_page() -> Response:
    """End all sessions of all users.

    The form must contain the name of the service, and the admin must have
    authenticated recently.
    """
    authorize(Action.END_ALL_SESSIONS)
    form, (auth, admin) = current_request().form, current_mechanism_and_user()
    name = form.get("name", "").strip().casefold()
    if not name:
        return _confirm_all_page(require_field(None, "name"))
    if name != page_settings.BRAND_NAME.read().strip().casefold():
        message = gettext("This is not the name of the service.")
        return _confirm_all_page(FormErrors(400, {"name": message}))
    problem, renewed = check_password_field(admin, form.get("password", ""))
    if problem is not None:
        return _confirm_all_page(problem)
    try:
        revoke_all(auth.store, None, current_actor())
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    return set_session_cookie(redirect(ADMIN_SESSIONS), renewed)


def _session(handle: str) -> Session | None:
    """Return the session with this handle, or `None`."""
    return current_mechanism_and_user()[0].store.find_by_handle(handle)


def _confirm_session_page(
    session: Session, problem: FormErrors | None = None
) -> Response:
    """Return the confirmation page for ending one session."""
    current = current_request().session
    return render_form(
        "admin_end_session.html",
        problem,
        session=session,
        current=current and current.id,
        names=user_names([session.user_id]),
        device_label=device_label,
    )


def _confirm_all_page(problem: FormErrors | None = None) -> Response:
    """Return the confirmation page for ending all sessions."""
    name = current_request().form.get("name", "")
    return render_form("admin_end_all_sessions.html", problem, name=name)

#!/usr/bin/env python3
"""The active sessions of all users, and the pages that end them."""

from collections.abc import Sequence

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.accounts.revocation import revoke, revoke_all
from vestibule.admin import filters
from vestibule.admin.cursor import SessionList, search_sessions
from vestibule.admin.filters import SessionSource
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
)
from vestibule.core import page_settings
from vestibule.core.errors import InvalidValue, VestibuleError
from vestibule.db.keyset import Count
from vestibule.db.session_search import (
    NEWEST_SESSIONS_FIRST,
)
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_actor, current_request
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions.session import Session
from vestibule.web.activity import device_label, sign_in_label
from vestibule.web.admin.lists import (
    PAGE_SIZES,
    FilterForm,
    count_text,
    user_names,
)
from vestibule.web.forms import (
    Confirmation,
    FormErrors,
    Target,
    check_password_field,
    confirmation_page,
    go_back,
    go_back_without_selection,
    keep_renewed_session,
    require_field,
)
from vestibule.web.i18n import gettext, ngettext
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import (
    ADMIN_SESSIONS,
    EXPORT_SESSIONS,
    admin_user_path,
    pages,
)
from vestibule.web.templating import page, redirect

#: Rows that one action is about at most: those of a page.
MAX_SELECTED = max(PAGE_SIZES)
_END = f"{ADMIN_SESSIONS}/end"
_END_ALL = f"{ADMIN_SESSIONS}/end-all"


@pages.get(ADMIN_SESSIONS)
def show_all_sessions() -> Response:
    """Show the live sessions that the filter selects."""
    authorize(Action.LIST_ALL_SESSIONS)
    auth = current_mechanism_and_user()[0]
    form = FilterForm(ADMIN_SESSIONS, "user", "network", "device", "sort")
    found = form.run(lambda: _search(auth, form), SessionList([], None))
    current = current_request().session
    return page(
        "admin_sessions.html",
        form.status,
        sessions=found.sessions,
        count=count_text("sessions", _count(auth, form, found)),
        current=current and current.id,
        names=user_names(each.user_id for each in found.sessions),
        filter=form,
        sort=form.values["sort"] or NEWEST_SESSIONS_FIRST,
        next=form.link(found.next),
        previous=form.link(found.previous),
        files=form.url(EXPORT_SESSIONS),
        device_label=device_label,
        sign_in_label=sign_in_label,
    )


def _search(auth: SessionMechanism, form: FilterForm) -> SessionList:
    """Return the sessions that the form selects; raise `InvalidValue`.

    If they are too many for the chosen order, the page says so and shows
    the newest first.
    """
    source = SessionSource(auth.store, auth.limits(), auth.now())
    wanted = filters.parse_session_filter(form.values)
    try:
        return search_sessions(source, wanted, form.size, form.cursor)
    except InvalidValue as error:
        if error.code != "too_many_to_sort":
            raise
        form.alert, form.values["sort"] = error_message(error), ""
    wanted = wanted._replace(sort="")
    return search_sessions(source, wanted, form.size, form.cursor)


def _count(
    auth: SessionMechanism, form: FilterForm, found: SessionList
) -> Count | None:
    """Return how many sessions the list has, if that is known.

    The store counts all sessions, some of which may have expired already.
    """
    if form.status != 200 or form.cursor:
        return None
    number = len(found.sessions)
    if found.next is None or form.is_set:
        return Count(number, found.next is None)
    return Count(max(number, auth.store.count()), True)


@pages.get(_END)
def confirm_end_sessions() -> Response:
    """Ask to confirm that some sessions are to be ended."""
    authorize(Action.END_ANY_SESSION)
    handles = current_request().args.getlist("session")
    sessions = _selected(handles)
    if not sessions:
        return go_back_without_selection(
            ADMIN_SESSIONS, handles, _already_ended(handles)
        )
    return _confirm_sessions_page(sessions)


@pages.post(_END)
def end_sessions_page() -> Response:
    """End some sessions, after recent authentication of the admin."""
    authorize(Action.END_ANY_SESSION)
    form, (auth, admin) = current_request().form, current_mechanism_and_user()
    handles = form.getlist("session")
    sessions = _selected(handles)
    if not sessions:
        return go_back_without_selection(
            ADMIN_SESSIONS, handles, _already_ended(handles)
        )
    problem, renewed = check_password_field(admin, form.get("password", ""))
    if problem is not None:
        return _confirm_sessions_page(sessions, problem)
    try:
        ended = sum(
            revoke(auth.store, each.id, current_actor()) for each in sessions
        )
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    message = Message.SESSIONS_ENDED if ended > 1 else Message.SESSION_ENDED
    return set_session_cookie(
        go_back(
            _home(sessions), message if ended else _already_ended(handles)
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


def _selected(handles: Sequence[str]) -> list[Session]:
    """Return the sessions with these handles, the admin's own one last.

    Sessions that have ended are left out, and so are handles beyond the
    number of rows of a page.
    """
    store, current = current_mechanism_and_user()[0].store, _current_handle()
    found = map(
        store.find_by_handle, list(dict.fromkeys(handles))[:MAX_SELECTED]
    )
    return sorted(
        (each for each in found if each is not None),
        key=lambda each: each.id == current,
    )


def _already_ended(handles: Sequence[str]) -> Message:
    """Return the message that these sessions had ended before."""
    return Message.SESSION_GONE if len(handles) == 1 else Message.SESSIONS_GONE


def _home(sessions: Sequence[Session]) -> str:
    """Return the path to go back to: of one session the page of its user."""
    user_id = sessions[0].user_id if len(sessions) == 1 else None
    if user_id is not None and user_names([user_id]):
        return admin_user_path(user_id)
    return ADMIN_SESSIONS


def _current_handle() -> str | None:
    """Return the handle of the request's own session."""
    session = current_request().session
    return None if session is None else session.id


def _confirm_sessions_page(
    sessions: Sequence[Session], problem: FormErrors | None = None
) -> Response:
    """Return the confirmation page for ending some sessions."""
    names = user_names(each.user_id for each in sessions)
    number, current = len(sessions), _current_handle()
    return confirmation_page(
        Confirmation(
            ngettext(
                "Sign out this session?",
                "Sign out %(number)s sessions?",
                number,
            )
            % {"number": number},
            ngettext(
                "The browser that uses it is signed out immediately.",
                "These browsers are signed out immediately.",
                number,
            ),
            gettext("Sign out"),
            _home(sessions),
            [
                Target(
                    " \u00b7 ".join(
                        filter(
                            None,
                            (
                                names.get(each.user_id or ""),
                                device_label(each.user_agent),
                                each.ip,
                            ),
                        )
                    ),
                    gettext("This session") if each.id == current else "",
                )
                for each in sessions
            ],
            [("session", each.id) for each in sessions],
        ),
        problem,
    )


def _confirm_all_page(problem: FormErrors | None = None) -> Response:
    """Return the confirmation page for ending all sessions."""
    return confirmation_page(
        Confirmation(
            gettext("Sign out all sessions of all users?"),
            gettext(
                "All users, including you, are signed out immediately and"
                " must sign in again."
            ),
            gettext("Sign out all sessions"),
            ADMIN_SESSIONS,
            typed_name=form_entries().get("name", ""),
        ),
        problem,
    )

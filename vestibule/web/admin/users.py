#!/usr/bin/env python3
"""The admin pages that list users, show one user and add a user."""

from typing import Any

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.accounts.throttle import failures_for_user
from vestibule.accounts.users import invite
from vestibule.admin import filters
from vestibule.admin.cursor import search_sessions, search_users
from vestibule.admin.filters import SessionFilter, SessionSource
from vestibule.api.views.admin import user_or_404
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
)
from vestibule.audit.log import EventType
from vestibule.core.errors import InvalidValue, Throttled, VestibuleError
from vestibule.db import events
from vestibule.db.events import EventFilter
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_actor, current_request
from vestibule.web.activity import ALARMING, describe_event, device_label
from vestibule.web.admin.lists import PAGE_ROWS, FilterForm, user_names
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    password_error,
    render_form,
    require_field,
)
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import error_message
from vestibule.web.routes import ADMIN, ADMIN_USERS, pages
from vestibule.web.templating import page

_NAMES = ("email", "first_name", "last_name")
#: Sessions, failed attempts and events on the page of one user.
MAX_ROWS_SHOWN = 10


@pages.get(ADMIN)
def show_users() -> Response:
    """Show the users that the filter selects."""
    authorize(Action.FIND_USERS)
    form = FilterForm("q", "role", "disabled", "signed_in")
    nothing: tuple[list[User], str | None] = ([], None)
    users, cursor = form.run(
        lambda: search_users(
            filters.parse_user_filter(form.values), PAGE_ROWS, form.cursor
        ),
        nothing,
    )
    return page(
        "admin_users.html",
        form.status,
        users=users,
        filter=form,
        first=form.url(ADMIN),
        next=form.next_url(ADMIN, cursor),
    )


@pages.get(f"{ADMIN_USERS}/<user_id>")
def show_user_page(user_id: str) -> Response:
    """Show one user: data, actions, sessions, failed attempts, events."""
    authorize(Action.FIND_USERS)
    user, auth = user_or_404(user_id), current_mechanism_and_user()[0]
    sessions = search_sessions(
        SessionSource(auth.store, auth.limits(), auth.now()),
        SessionFilter(user.id),
        MAX_ROWS_SHOWN,
        "",
    ).sessions
    recent = events.fetch_page(
        EventFilter(user_id=user.id), MAX_ROWS_SHOWN
    ).events
    failed = events.fetch_page(
        EventFilter(user.id, EventType.LOGIN_FAILED), MAX_ROWS_SHOWN
    )
    current = current_request().session
    return page(
        "admin_user.html",
        account=user,
        failures=failures_for_user(user),
        sessions=sessions[:MAX_ROWS_SHOWN],
        current=current and current.id,
        events=recent,
        failed=failed.events,
        has_more_failed=failed.next is not None,
        names=user_names(event.by_id for event in (*recent, *failed.events)),
        is_own=user.id == current_actor().id,
        describe_event=describe_event,
        device_label=device_label,
        alarming=ALARMING,
    )


@pages.get(f"{ADMIN_USERS}/add")
def show_new_user() -> Response:
    """Show the form that adds a user."""
    authorize(Action.INVITE_USER)
    return _add_user_form()


@pages.post(f"{ADMIN_USERS}/add")
def add_user_page() -> Response:
    """Add a user, and show once the code that sets their password."""
    authorize(Action.INVITE_USER)
    form = current_request().form
    given: dict[str, Any] = {
        name: form.get(name, "").strip() or None for name in _NAMES
    }
    problem, renewed = check_password_field(
        current_mechanism_and_user()[1], form.get("password", "")
    )
    if given["email"] is None:
        problem = require_field(problem, "email")
    elif problem is None:
        try:
            invited = invite(*given.values(), actor=current_actor())
        except InvalidValue as error:
            problem = FormErrors(400, {error.field: error_message(error)})
        except Throttled as error:
            problem = password_error(error, "password")
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            return set_session_cookie(
                page(
                    "admin_reset_code.html",
                    account=invited.user,
                    issued=invited.code,
                    is_new=True,
                ),
                renewed,
            )
    return set_session_cookie(
        _add_user_form(problem, renewed is not None), renewed
    )


def _add_user_form(
    problem: FormErrors | None = None, is_reauthenticated: bool = False
) -> Response:
    """Return the form that adds a user; its fields keep their values."""
    form = form_entries()
    return render_form(
        "admin_add_user.html",
        problem,
        is_reauthenticated,
        values={name: form.get(name, "") for name in _NAMES},
    )

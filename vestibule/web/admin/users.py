#!/usr/bin/env python3
"""The desk's users: find one, see one, add one."""

from typing import Any

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.accounts.throttle import failures_for_user
from vestibule.admin import filters
from vestibule.admin.filters import SessionFilter
from vestibule.api.views.account import set_session_cookie
from vestibule.api.views.admin import user_or_404
from vestibule.api.views.admin_activity import search_sessions
from vestibule.api.views.admin_users import invite_as_admin, search_users
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
    current_session,
)
from vestibule.audit.log import EventType
from vestibule.core.errors import InvalidValue, VestibuleError
from vestibule.db import events
from vestibule.db.events import EventFilter
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.request import current_request, current_user_id
from vestibule.web.activity import ALARMING, describe_event, device_label
from vestibule.web.admin.lists import PAGE_ROWS, FilterForm, user_names
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    render_form,
    require_field,
)
from vestibule.web.messages import error_message
from vestibule.web.routes import ADMIN, ADMIN_USERS, pages
from vestibule.web.templating import page

_NAMES = ("email", "first_name", "last_name")
#: Sessions and events on the page of one user.
MAX_SESSIONS_SHOWN = 10


@pages.get(ADMIN)
def show_users() -> Response:
    """Show the users that a search and filters find."""
    authorize(Action.FIND_USERS)
    typed = FilterForm("q", "role", "disabled", "signed_in")
    nobody: tuple[list[User], str | None] = ([], None)
    found, following = typed.found(
        lambda: search_users(
            filters.parse_user_filter(typed.values), PAGE_ROWS, typed.after
        ),
        nobody,
    )
    return page(
        "admin_users.html",
        typed.status,
        found=found,
        typed=typed,
        first=typed.address(ADMIN),
        next=following and typed.address(ADMIN, after=following),
    )


@pages.get(f"{ADMIN_USERS}/<user_id>")
def show_user_here(user_id: str) -> Response:
    """Show one user: data, sessions, what happened, what can be done."""
    authorize(Action.FIND_USERS)
    user, auth = user_or_404(user_id), current_mechanism_and_user()[0]
    some = search_sessions(
        auth, SessionFilter(user.id), MAX_SESSIONS_SHOWN, ""
    ).sessions
    happened = events.page(
        EventFilter(user_id=user.id), MAX_SESSIONS_SHOWN
    ).happenings
    failed = events.page(
        EventFilter(user.id, EventType.LOGIN_FAILED), MAX_SESSIONS_SHOWN
    )
    current = current_session(auth)
    return page(
        "admin_user.html",
        account=user,
        failures=failures_for_user(user),
        sessions=some[:MAX_SESSIONS_SHOWN],
        current=current and current.id,
        happenings=happened,
        failed=failed.happenings,
        may_have_failed=failed.next is not None,
        names=user_names(one.by_id for one in (*happened, *failed.happenings)),
        is_own=user.id == current_user_id(),
        told=describe_event,
        device=device_label,
        alarming=ALARMING,
    )


@pages.get(f"{ADMIN_USERS}/add")
def show_new_user() -> Response:
    """Show the form to add somebody."""
    authorize(Action.INVITE_USER)
    return _form()


@pages.post(f"{ADMIN_USERS}/add")
def add_user_here() -> Response:
    """Add somebody, and show once the code to set a password by."""
    authorize(Action.INVITE_USER)
    form = current_request().form
    given: dict[str, Any] = {
        name: form.get(name, "").strip() or None for name in _NAMES
    }
    problem, renewed = check_password_field(
        current_mechanism_and_user()[1], form.get("password", ""), "password"
    )
    if given["email"] is None:
        problem = require_field(problem, "email")
    elif problem is None:
        try:
            invited = invite_as_admin(*given.values())
        except InvalidValue as error:
            problem = FormErrors(400, {error.field: error_message(error)})
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
    return set_session_cookie(_form(problem, renewed is not None), renewed)


def _form(
    problem: FormErrors | None = None, is_proved: bool = False
) -> Response:
    """Return the form to add somebody, with what was typed."""
    typed = current_request().form
    return render_form(
        "admin_add_user.html",
        problem,
        is_proved,
        values={name: typed.get(name, "") for name in _NAMES},
    )

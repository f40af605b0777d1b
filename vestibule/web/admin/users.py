#!/usr/bin/env python3
"""The admin pages that list users, show one user and add a user."""

from urllib.parse import urlencode

from flask import Response

from vestibule.accounts.credentials import change_email
from vestibule.accounts.permissions import Action
from vestibule.accounts.throttle import failures_for_user
from vestibule.accounts.users import set_names
from vestibule.admin import filters
from vestibule.admin.cursor import UserList, search_sessions, search_users
from vestibule.admin.filters import SessionFilter, SessionSource
from vestibule.api.views.admin import user_or_404
from vestibule.api.views.sessions import (
    current_mechanism_and_user,
)
from vestibule.audit.log import EventType
from vestibule.core.errors import InvalidValue, Throttled, VestibuleError
from vestibule.db import events, factors, mail_search
from vestibule.db.codes import is_invited
from vestibule.db.events import EventFilter
from vestibule.db.models.user import User
from vestibule.db.user_search import (
    UserFilter,
    count_users,
    effective_sort,
)
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_actor, current_request
from vestibule.mail.notices import is_mail_on
from vestibule.web.activity import (
    ALARMING,
    describe_event,
    device_label,
    factor_label,
    sign_in_label,
)
from vestibule.web.admin.lists import FilterForm, count_text, user_names
from vestibule.web.admin.mails import mail_label
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    go_back,
    keep_renewed_session,
    password_error,
    render_form,
    require_field,
)
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import (
    ADMIN,
    ADMIN_USERS,
    EXPORT_USERS,
    admin_user_path,
    back_url,
    own_url,
    pages,
)
from vestibule.web.templating import page

_NAMES = ("email", "first_name", "last_name")
#: Sessions, failed attempts and events on the page of one user.
MAX_ROWS_SHOWN = 10


@pages.get(ADMIN)
def show_users() -> Response:
    """Show the users that the filter selects."""
    authorize(Action.FIND_USERS)
    form = FilterForm(ADMIN, "q", "role", "disabled", "signed_in", "sort")
    wanted = form.run(
        lambda: filters.parse_user_filter(form.values), UserFilter()
    )
    found = form.run(
        lambda: search_users(wanted, form.size, form.cursor),
        UserList([], None),
    )
    count = ""
    if form.status == 200:
        count = count_text("users", count_users(wanted))
    else:
        found = UserList([], None)
    return page(
        "admin_users.html",
        form.status,
        users=found.users,
        count=count,
        filter=form,
        sort=effective_sort(wanted),
        next=form.link(found.next),
        previous=form.link(found.previous),
        files=form.url(EXPORT_USERS),
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
        factors=factors.of_user(user.id),
        recovery_codes=factors.count_recovery_codes(user.id),
        is_invited=is_invited(user),
        has_mail=is_mail_on(),
        mails=mail_search.newest(MAX_ROWS_SHOWN, user_id=user.id),
        mail_label=mail_label,
        sessions=sessions[:MAX_ROWS_SHOWN],
        current=current and current.id,
        events=recent,
        failed=failed.events,
        has_more_failed=failed.next is not None,
        names=user_names(event.by_id for event in (*recent, *failed.events)),
        is_own=user.id == current_actor().id,
        back=back_url(ADMIN),
        here=f"{own_url(admin_user_path(user.id))}?"
        + urlencode({"back": back_url(ADMIN)}),
        describe_event=describe_event,
        device_label=device_label,
        sign_in_label=sign_in_label,
        alarming=ALARMING,
        factor_label=factor_label,
    )


@pages.get(f"{ADMIN_USERS}/<user_id>/edit")
def show_user_form(user_id: str) -> Response:
    """Show the form that changes the name and email of a user."""
    _authorize_edit(user_id)
    return _edit_form(user_or_404(user_id))


@pages.post(f"{ADMIN_USERS}/<user_id>/edit")
def edit_user_page(user_id: str) -> Response:
    """Change the name and email of a user."""
    _authorize_edit(user_id)
    user, form = user_or_404(user_id), current_request().form
    given = {name: form.get(name, "").strip() or None for name in _NAMES}
    problem, renewed = check_password_field(
        current_mechanism_and_user()[1], form.get("password", "")
    )
    if given["email"] is None and user.email is not None:
        problem = require_field(problem, "email")
    elif problem is None:
        try:
            _change(user, given)
        except InvalidValue as error:
            problem = FormErrors(400, {error.field: error_message(error)})
        except Throttled as error:
            problem = password_error(error, "password")
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            return set_session_cookie(
                go_back(admin_user_path(user.id), Message.USER_CHANGED),
                renewed,
            )
    return set_session_cookie(
        _edit_form(user_or_404(user_id), problem, renewed is not None),
        renewed,
    )


def _authorize_edit(user_id: str) -> None:
    """Abort with 403 unless the admin may change a name and an email."""
    authorize(Action.NAME_USER, user_id)
    authorize(Action.SET_EMAIL, user_id)


def _change(user: User, given: dict[str, str | None]) -> None:
    """Store the name and the email of a user; raise as both do.

    The email comes first: it can be refused for more reasons.
    """
    email = given["email"]
    before = user.first_name, user.last_name
    set_names(user, {name: given[name] for name in _NAMES[1:]})
    if email is not None and email != user.email:
        change_email(user, email, actor=current_actor())
    elif before != (user.first_name, user.last_name):
        user.save_changes()


def _edit_form(
    user: User,
    problem: FormErrors | None = None,
    is_reauthenticated: bool = False,
) -> Response:
    """Return the form that changes a user; its fields keep their values."""
    form, home = current_request().form, admin_user_path(user.id)
    return render_form(
        "admin_edit_user.html",
        problem,
        is_reauthenticated,
        account_shown=user,
        action=own_url(f"{home}/edit"),
        back=back_url(home),
        values={
            name: form.get(name, getattr(user, name) or "") for name in _NAMES
        },
    )

#!/usr/bin/env python3
"""The admin pages of users: list them, show and add one, act on several.

An action on several selected users has one confirmation for all of them.
"""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from flask import Response, abort

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
from vestibule.core.errors import (
    InvalidValue,
    LastAdmin,
    RecordGone,
    Throttled,
    VestibuleError,
)
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
from vestibule.web.admin.lists import (
    PAGE_SIZES,
    FilterForm,
    count_text,
    user_names,
)
from vestibule.web.admin.mails import mail_label
from vestibule.web.admin.user_actions import DANGEROUS, USER_ACTIONS
from vestibule.web.forms import (
    Confirmation,
    FormErrors,
    check_password_field,
    confirmation_page,
    go_back,
    go_back_without_selection,
    keep_renewed_session,
    password_error,
    render_form,
    require_field,
    user_targets,
)
from vestibule.web.i18n import gettext, ngettext
from vestibule.web.kept_form import form_entries
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
_SELECTED_PATH = f"{ADMIN_USERS}/selected"
#: Users that one action is about at most: those of a page.
MAX_SELECTED = max(PAGE_SIZES)


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
    form, home = form_entries(), admin_user_path(user.id)
    return render_form(
        "admin_edit_user.html",
        problem,
        is_reauthenticated,
        account_shown=user,
        back=back_url(home),
        values={
            name: form.get(name, getattr(user, name) or "") for name in _NAMES
        },
    )


#: The questions by the names of actions.
_QUESTIONS: dict[str, Callable[[int], str]] = {
    "end-sessions": lambda number: ngettext(
        "Sign out %(number)s user?", "Sign out %(number)s users?", number
    ),
    "disable": lambda number: ngettext(
        "Disable %(number)s user?", "Disable %(number)s users?", number
    ),
    "enable": lambda number: ngettext(
        "Enable %(number)s user?", "Enable %(number)s users?", number
    ),
    "unlock": lambda number: ngettext(
        "Unblock sign-in of %(number)s user?",
        "Unblock sign-in of %(number)s users?",
        number,
    ),
}


@pages.get(_SELECTED_PATH)
def confirm_selected_users() -> Response:
    """Ask to confirm an action on the selected users."""
    given = current_request().args
    return _confirm_or_return(given.get("do", ""), given.getlist("id"))


@pages.post(_SELECTED_PATH)
def change_selected_users() -> Response:
    """Do an action to the selected users, one after the other.

    A user for whom it is not allowed is left as it is, and the message
    says so: the last administrator stays one.
    """
    form, admin = current_request().form, current_mechanism_and_user()[1]
    name, ids = form.get("do", ""), form.getlist("id")
    users = _authorized_users(name, ids)
    if not users:
        return go_back_without_selection(ADMIN, ids, Message.SELECTION_GONE)
    problem, renewed = check_password_field(admin, form.get("password", ""))
    if problem is not None:
        return _confirm_page(name, users, problem)
    failed = 0
    try:
        for user in users:
            try:
                USER_ACTIONS[name].perform(user)
            except (LastAdmin, RecordGone):
                failed += 1
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    message = Message.SELECTED_PARTLY if failed else Message.SELECTED_DONE
    return set_session_cookie(go_back(ADMIN, message), renewed)


def _confirm_or_return(name: str, ids: Sequence[str]) -> Response:
    """Return the confirmation page; the list if nothing is selected."""
    users = _authorized_users(name, ids)
    if not users:
        return go_back_without_selection(ADMIN, ids, Message.SELECTION_GONE)
    return _confirm_page(name, users)


def _authorized_users(name: str, ids: Sequence[str]) -> list[User]:
    """Return the selected users, the admin's own account last.

    Abort with 404 for an unknown action, with 403 if one is not allowed.
    """
    if name not in _QUESTIONS:
        authorize(Action.FIND_USERS)
        abort(404)
    own, found = current_actor().id, []
    for id in list(dict.fromkeys(ids))[:MAX_SELECTED]:
        authorize(USER_ACTIONS[name].permission, id)
        user = User.get(id)
        if user is not None:
            found.append(user)
    return sorted(found, key=lambda user: user.id == own)


def _confirm_page(
    name: str, users: Sequence[User], problem: FormErrors | None = None
) -> Response:
    """Return the page that asks to confirm an action on users."""
    chosen, number = USER_ACTIONS[name], len(users)
    return confirmation_page(
        Confirmation(
            _QUESTIONS[name](number) % {"number": number},
            gettext(chosen.consequence),
            gettext(chosen.button),
            ADMIN,
            user_targets(users),
            [("do", name), *(("id", user.id) for user in users)],
            name in DANGEROUS,
        ),
        problem,
    )

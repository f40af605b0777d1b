#!/usr/bin/env python3
"""Actions on several selected users, with one confirmation for all."""

from collections.abc import Callable, Sequence

from flask import Response, abort

from vestibule.accounts.permissions import Action
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.errors import LastAdmin, RecordGone, VestibuleError
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_actor, current_request
from vestibule.web.admin.lists import PAGE_SIZES
from vestibule.web.admin.user_actions import DANGEROUS, USER_ACTIONS
from vestibule.web.forms import (
    Confirmation,
    FormErrors,
    check_password_field,
    confirmation_page,
    go_back,
    keep_renewed_session,
    user_targets,
)
from vestibule.web.i18n import gettext, ngettext
from vestibule.web.messages import Message
from vestibule.web.routes import ADMIN, ADMIN_USERS, own_url, pages

_PATH = f"{ADMIN_USERS}/selected"
#: Users that one action is about at most: those of a page.
MAX_SELECTED = max(PAGE_SIZES)
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


@pages.get(_PATH)
def confirm_selected_users() -> Response:
    """Ask to confirm an action on the selected users."""
    given = current_request().args
    return _confirm_or_return(given.get("do", ""), given.getlist("id"))


@pages.post(_PATH)
def change_selected_users() -> Response:
    """Do an action to the selected users, one after the other.

    A user for whom it is not allowed is left as it is, and the message
    says so: the last administrator stays one.
    """
    form, admin = current_request().form, current_mechanism_and_user()[1]
    name, ids = form.get("do", ""), form.getlist("id")
    users = _authorized_users(name, ids)
    if not users:
        return go_back(ADMIN, Message.NOTHING_SELECTED)
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
        return go_back(ADMIN, Message.NOTHING_SELECTED)
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
            own_url(_PATH),
            ADMIN,
            user_targets(users),
            [("do", name), *(("id", user.id) for user in users)],
            name in DANGEROUS,
        ),
        problem,
    )

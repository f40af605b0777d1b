#!/usr/bin/env python3
"""What admins do to one user, each with a page that asks first.

Its law: a deed is done by a form that was sent from its own page, with a
recent proof of the admin's password; nothing is done by an address.
"""

from collections.abc import Callable
from typing import NamedTuple

from flask import Response, abort

from vestibule.accounts.permissions import Action
from vestibule.api.views.account import set_session_cookie
from vestibule.api.views.admin import (
    change_disabled,
    change_role,
    issue_reset_code,
    revoke_sessions_as_admin,
    user_or_404,
)
from vestibule.api.views.admin_users import reset_failures_as_admin
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.api.views.users import remove_account
from vestibule.core.errors import LastAdmin, RecordGone, VestibuleError
from vestibule.db.models.user import Role, User
from vestibule.http.access import authorize
from vestibule.http.request import current_request, current_user_id
from vestibule.web.flash import Message
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    render_form,
)
from vestibule.web.i18n import N_, gettext
from vestibule.web.routes import ADMIN, ADMIN_USERS, admin_user_path, pages
from vestibule.web.templating import page, redirect

_PATH = f"{ADMIN_USERS}/<user_id>/<deed>"


class UserAction(NamedTuple):
    """What can be done: how it is asked, whether one may, how it is done."""

    question: str
    consequence: str
    button: str
    action: Action
    do: Callable[[User], Message | Response]
    #: Whether who does it to himself is no admin, or not here, afterwards.
    leaves: bool = False


def _disable(user: User) -> Message:
    """Keep the user out."""
    change_disabled(user, True)
    return Message.USER_DISABLED


def _enable(user: User) -> Message:
    """Let the user in again."""
    change_disabled(user, False)
    return Message.USER_ENABLED


def _delete(user: User) -> Message:
    """Delete the user."""
    remove_account(user)
    return Message.USER_DELETED


def _promote(user: User) -> Message:
    """Make the user an admin."""
    change_role(user, Role.ADMIN)
    return Message.ROLE_CHANGED


def _demote(user: User) -> Message:
    """Make the user a member."""
    change_role(user, Role.MEMBER)
    return Message.ROLE_CHANGED


def _unlock(user: User) -> Message:
    """Lift the wait after failures."""
    reset_failures_as_admin(user)
    return Message.USER_UNLOCKED


def _end_sessions(user: User) -> Message:
    """End all sessions of the user."""
    revoke_sessions_as_admin(current_mechanism_and_user()[0], user.id)
    return Message.SESSIONS_ENDED


def _hand_out(user: User) -> Response:
    """Show a code, this once."""
    return page(
        "admin_reset_code.html",
        account=user,
        issued=issue_reset_code(user),
        is_new=False,
    )


USER_ACTIONS = {
    "disable": UserAction(
        N_("Disable this user?"),
        N_(
            "All sessions end at once, and no password signs in until you"
            " enable the user again. Nothing is deleted."
        ),
        N_("Disable"),
        Action.SET_DISABLED,
        _disable,
        True,
    ),
    "enable": UserAction(
        N_("Enable this user?"),
        N_("The user may sign in again, with the same password."),
        N_("Enable"),
        Action.SET_DISABLED,
        _enable,
    ),
    "delete": UserAction(
        N_("Delete this user?"),
        N_(
            "Name, email and all sessions are deleted. Nobody can bring"
            " them back. To keep somebody out for a while, disable the"
            " user instead."
        ),
        N_("Delete for good"),
        Action.DELETE_USER,
        _delete,
        True,
    ),
    "make-admin": UserAction(
        N_("Make this user an administrator?"),
        N_("Administrators see and change all users, and you as well."),
        N_("Make an administrator"),
        Action.SET_ROLE,
        _promote,
    ),
    "make-member": UserAction(
        N_("Make this user a member?"),
        N_(
            "A member sees the own account only. This page is closed to"
            " the user then."
        ),
        N_("Make a member"),
        Action.SET_ROLE,
        _demote,
        True,
    ),
    "unlock": UserAction(
        N_("Lift the wait?"),
        N_(
            "After failed attempts one has to wait before the next. This"
            " forgets the failures of this user, so be sure who asked"
            " you."
        ),
        N_("Lift the wait"),
        Action.UNLOCK_USER,
        _unlock,
    ),
    "code": UserAction(
        N_("Hand out a code?"),
        N_(
            "You get a code that sets a new password once, within an"
            " hour. An older code is dead then. Give it only to the user"
            " in person."
        ),
        N_("Show the code"),
        Action.ISSUE_RESET,
        _hand_out,
    ),
    "end-sessions": UserAction(
        N_("End all sessions of this user?"),
        N_(
            "The user is signed out everywhere at once, and may sign in again."
        ),
        N_("End all sessions"),
        Action.END_SESSIONS,
        _end_sessions,
        True,
    ),
}


@pages.get(_PATH)
def ask_about_user(user_id: str, deed: str) -> Response:
    """Ask whether it is meant."""
    wanted = _deed(deed, user_id)
    return _question(wanted, user_or_404(user_id), deed)


@pages.post(_PATH)
def do_to_user(user_id: str, deed: str) -> Response:
    """Do it, with a proof of the admin's password if none is recent."""
    wanted = _deed(deed, user_id)
    user = User.get(user_id)
    if user is None:
        return redirect(ADMIN, Message.USER_GONE)
    password = current_request().form.get("password", "")
    told, renewed = check_password_field(
        current_mechanism_and_user()[1], password, "password"
    )
    if told is None:
        try:
            done = _done(wanted, user)
        except LastAdmin:
            told = FormErrors(
                409,
                alert=gettext(
                    "This is the last administrator, and somebody has to"
                    " manage the others. Make somebody else one first."
                ),
            )
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            return set_session_cookie(done, renewed)
    return set_session_cookie(
        _question(wanted, user, deed, told, renewed is not None), renewed
    )


def _deed(name: str, user_id: str) -> UserAction:
    """Return the deed of this name; 404, or 403 for who may not."""
    wanted = USER_ACTIONS.get(name)
    if wanted is None:
        abort(404)
    authorize(wanted.action, user_id)
    return wanted


def _done(wanted: UserAction, user: User) -> Response:
    """Do it, and lead to where its outcome is seen."""
    is_own = user.id == current_user_id()
    try:
        outcome = wanted.do(user)
    except RecordGone:
        # Another admin was faster.
        return redirect(ADMIN, Message.USER_GONE)
    if isinstance(outcome, Response):
        return outcome
    if is_own and wanted.leaves:
        return redirect("/")
    gone = outcome is Message.USER_DELETED
    return redirect(ADMIN if gone else admin_user_path(user.id), outcome)


def _question(
    wanted: UserAction,
    user: User,
    name: str,
    told: FormErrors | None = None,
    is_proved: bool = False,
) -> Response:
    """Return the page that asks."""
    return render_form(
        "admin_confirm.html",
        told,
        is_proved,
        account=user,
        name=name,
        question=gettext(wanted.question),
        consequence=gettext(wanted.consequence),
        button=gettext(wanted.button),
        is_own=user.id == current_user_id(),
    )

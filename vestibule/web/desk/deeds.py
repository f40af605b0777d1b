#!/usr/bin/env python3
"""What admins do to one user, each with a page that asks first.

Its law: a deed is done by a form that was sent from its own page, with a
recent proof of the admin's password; nothing is done by an address.
"""

from collections.abc import Callable
from typing import NamedTuple

from flask import Response, abort

from api.v1.permit import permit
from api.v1.request import asker, current_request
from api.v1.views.account import with_session
from api.v1.views.admin import (
    change_disabled,
    change_role,
    end_as_admin,
    hand_out_code,
    known_user,
)
from api.v1.views.directory import unlock_as_admin
from api.v1.views.sessions import asking
from api.v1.views.users import remove_account
from models.role import Role
from models.user import User
from vestibule.accounts.policy import Action
from vestibule.errors import LastAdmin, NotStored, VestibuleError
from vestibule.web.addresses import DESK, DESK_USERS, desk_user
from vestibule.web.blueprint import pages
from vestibule.web.language import gettext, marked
from vestibule.web.notices import Notice
from vestibule.web.proving import Told, answered, keep_session, proof_of
from vestibule.web.rendering import page, redirect

_PATH = f"{DESK_USERS}/<user_id>/<deed>"


class Deed(NamedTuple):
    """What can be done: how it is asked, whether one may, how it is done.
    """

    question: str
    consequence: str
    button: str
    action: Action
    do: Callable[[User], Notice | Response]
    #: Whether who does it to himself is no admin, or not here, afterwards.
    leaves: bool = False


def _disable(user: User) -> Notice:
    """Keep the user out."""
    change_disabled(user, True)
    return Notice.USER_DISABLED


def _enable(user: User) -> Notice:
    """Let the user in again."""
    change_disabled(user, False)
    return Notice.USER_ENABLED


def _delete(user: User) -> Notice:
    """Delete the user."""
    remove_account(user)
    return Notice.USER_DELETED


def _promote(user: User) -> Notice:
    """Make the user an admin."""
    change_role(user, Role.ADMIN)
    return Notice.ROLE_CHANGED


def _demote(user: User) -> Notice:
    """Make the user a member."""
    change_role(user, Role.MEMBER)
    return Notice.ROLE_CHANGED


def _unlock(user: User) -> Notice:
    """Lift the wait after failures."""
    unlock_as_admin(user)
    return Notice.USER_UNLOCKED


def _end_sessions(user: User) -> Notice:
    """End all sessions of the user."""
    end_as_admin(asking()[0], user.id)
    return Notice.SESSIONS_ENDED


def _hand_out(user: User) -> Response:
    """Show a code, this once."""
    return page(
        "desk_code.html",
        account=user,
        issued=hand_out_code(user),
        is_new=False,
    )


DEEDS = {
    "disable": Deed(
        marked("Disable this user?"),
        marked("All sessions end at once, and no password signs in until you"
               " enable the user again. Nothing is deleted."),
        marked("Disable"), Action.SET_DISABLED, _disable, True,
    ),
    "enable": Deed(
        marked("Enable this user?"),
        marked("The user may sign in again, with the same password."),
        marked("Enable"), Action.SET_DISABLED, _enable,
    ),
    "delete": Deed(
        marked("Delete this user?"),
        marked("Name, email and all sessions are deleted. Nobody can bring"
               " them back. To keep somebody out for a while, disable the"
               " user instead."),
        marked("Delete for good"), Action.DELETE_USER, _delete, True,
    ),
    "make-admin": Deed(
        marked("Make this user an administrator?"),
        marked("Administrators see and change all users, and you as well."),
        marked("Make an administrator"), Action.SET_ROLE, _promote,
    ),
    "make-member": Deed(
        marked("Make this user a member?"),
        marked("A member sees the own account only. This page is closed to"
               " the user then."),
        marked("Make a member"), Action.SET_ROLE, _demote, True,
    ),
    "unlock": Deed(
        marked("Lift the wait?"),
        marked("After failed attempts one has to wait before the next. This"
               " forgets the failures of this user, so be sure who asked"
               " you."),
        marked("Lift the wait"), Action.UNLOCK_USER, _unlock,
    ),
    "code": Deed(
        marked("Hand out a code?"),
        marked("You get a code that sets a new password once, within an"
               " hour. An older code is dead then. Give it only to the user"
               " in person."),
        marked("Show the code"), Action.ISSUE_RESET, _hand_out,
    ),
    "end-sessions": Deed(
        marked("End all sessions of this user?"),
        marked("The user is signed out everywhere at once, and may sign in"
               " again."),
        marked("End all sessions"), Action.END_SESSIONS, _end_sessions, True,
    ),
}


@pages.get(_PATH)
def ask_about_user(user_id: str, deed: str) -> Response:
    """Ask whether it is meant."""
    wanted = _deed(deed, user_id)
    return _question(wanted, known_user(user_id), deed)


@pages.post(_PATH)
def do_to_user(user_id: str, deed: str) -> Response:
    """Do it, with a proof of the admin's password if none is recent."""
    wanted = _deed(deed, user_id)
    user = User.get(user_id)
    if user is None:
        return redirect(DESK, Notice.USER_GONE)
    password = current_request().form.get("password", "")
    told, renewed = proof_of(asking()[1], password, "password")
    if told is None:
        try:
            done = _done(wanted, user)
        except LastAdmin:
            told = Told(409, alert=gettext(
                "This is the last administrator, and somebody has to manage"
                " the others. Make somebody else one first."
            ))
        except VestibuleError:
            keep_session(renewed)
            raise
        else:
            return with_session(done, renewed)
    return with_session(
        _question(wanted, user, deed, told, renewed is not None), renewed
    )


def _deed(name: str, user_id: str) -> Deed:
    """Return the deed of this name; 404, or 403 for who may not."""
    wanted = DEEDS.get(name)
    if wanted is None:
        abort(404)
    permit(wanted.action, user_id)
    return wanted


def _done(wanted: Deed, user: User) -> Response:
    """Do it, and lead to where its outcome is seen."""
    is_own = user.id == asker()
    try:
        outcome = wanted.do(user)
    except NotStored:
        # Another admin was faster.
        return redirect(DESK, Notice.USER_GONE)
    if isinstance(outcome, Response):
        return outcome
    if is_own and wanted.leaves:
        return redirect("/")
    gone = outcome is Notice.USER_DELETED
    return redirect(DESK if gone else desk_user(user.id), outcome)


def _question(
    wanted: Deed,
    user: User,
    name: str,
    told: Told | None = None,
    is_proved: bool = False,
) -> Response:
    """Return the page that asks."""
    return answered(
        "desk_question.html",
        told,
        is_proved,
        account=user,
        name=name,
        question=gettext(wanted.question),
        consequence=gettext(wanted.consequence),
        button=gettext(wanted.button),
        is_own=user.id == asker(),
    )

#!/usr/bin/env python3
"""The actions of admins on one user, each with a confirmation page.

Only a POST from the confirmation page performs an action, after recent
authentication of the admin.
"""

from collections.abc import Callable
from typing import NamedTuple

from flask import Response, abort

from vestibule.accounts.mail_flows import send_password_mail
from vestibule.accounts.permissions import Action
from vestibule.accounts.recovery import (
    FACTOR_RESET_PATH,
    RESET_CODE_LIFETIME,
    check_may_reset,
    factor_reset_link_path,
    issue_code,
    issue_factor_reset,
    parse_invitation_lifetime,
)
from vestibule.accounts.revocation import revoke_all
from vestibule.accounts.throttle import reset_failures
from vestibule.accounts.users import disable, enable, remove, set_role
from vestibule.api.views.admin import user_or_404
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.errors import (
    FactorResetRefused,
    LastAdmin,
    RecordGone,
    VestibuleError,
)
from vestibule.db.codes import is_invited
from vestibule.db.models.user import Role, User
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import (
    current_actor,
    current_request,
    current_store,
    public_url,
)
from vestibule.mail.notices import is_mail_on
from vestibule.web.admin.invitations import (
    DEFAULT_LIFETIME,
    chosen_hours,
    code_page,
    lifetime_options,
)
from vestibule.web.forms import (
    Confirmation,
    FormErrors,
    check_password_field,
    confirmation_page,
    go_back,
    keep_renewed_session,
    user_targets,
)
from vestibule.web.i18n import N_, gettext
from vestibule.web.messages import Message, error_message, flash
from vestibule.web.routes import (
    ACCOUNT,
    ADMIN,
    ADMIN_USERS,
    admin_user_path,
    back_url,
    list_url,
    pages,
)
from vestibule.web.templating import page, redirect, redirect_to

_PATH = f"{ADMIN_USERS}/<user_id>/<action>"


class UserAction(NamedTuple):
    """An action: its texts, the permission it needs, and what it does."""

    question: str
    consequence: str
    button: str
    permission: Action
    #: Returns a flash message, or a page to show instead of a redirect.
    perform: Callable[[User], Message | Response]
    #: True if it takes away the access of an admin who does it to himself.
    ends_own_access: bool = False


def _disable(user: User) -> Message:
    """Disable the user."""
    disable(user, current_store(), actor=current_actor())
    return Message.USER_DISABLED


def _enable(user: User) -> Message:
    """Enable the user."""
    enable(user, current_store(), actor=current_actor())
    return Message.USER_ENABLED


def _delete(user: User) -> Message:
    """Delete the user."""
    remove(user, current_store(), actor=current_actor())
    return Message.USER_DELETED


def _promote(user: User) -> Message:
    """Make the user an admin."""
    set_role(user, Role.ADMIN, actor=current_actor())
    return Message.ROLE_CHANGED


def _demote(user: User) -> Message:
    """Make the user a member."""
    set_role(user, Role.MEMBER, actor=current_actor())
    return Message.ROLE_CHANGED


def _unlock(user: User) -> Message:
    """Reset the failed attempts of the user."""
    reset_failures(user, actor=current_actor())
    return Message.USER_UNLOCKED


def _end_sessions(user: User) -> Message:
    """End all sessions of the user."""
    store = current_mechanism_and_user()[0].store
    revoke_all(store, user.id, current_actor())
    return Message.SESSIONS_ENDED


def _issue_code(user: User) -> Response:
    """Issue a reset code, and return the page that shows it once."""
    lifetime = RESET_CODE_LIFETIME
    if is_invited(user):
        lifetime = parse_invitation_lifetime(chosen_hours())
    issued = issue_code(user, actor=current_actor(), lifetime=lifetime)
    return code_page(user, issued)


def _reset_factors(user: User) -> Response:
    """Return the page that shows, once, a link to remove all factors."""
    actor = current_actor()
    check_may_reset(user, actor, current_request().session)
    issued = issue_factor_reset(user, actor=actor)
    path = factor_reset_link_path(user, issued.code)
    return page(
        "admin_factor_reset.html",
        account=user,
        issued=issued,
        link=None if path is None else public_url(path),
        form_url=public_url(FACTOR_RESET_PATH),
        back=back_url(admin_user_path(user.id)),
    )


def _send_mail(user: User) -> Message:
    """Mail a link with which the user sets a password."""
    is_sent = send_password_mail(user, actor=current_actor())
    return (
        Message.PASSWORD_MAIL_SENT
        if is_sent
        else Message.PASSWORD_MAIL_NOT_SENT
    )


#: Actions whose button is red.
DANGEROUS = frozenset({"disable", "delete", "end-sessions", "reset-factors"})
USER_ACTIONS = {
    "disable": UserAction(
        N_("Disable this user?"),
        N_(
            "They cannot sign in until you enable the account again. All"
            " sessions are signed out immediately. Nothing is deleted."
        ),
        N_("Disable"),
        Action.SET_DISABLED,
        _disable,
        True,
    ),
    "enable": UserAction(
        N_("Enable this user?"),
        N_("They can sign in again, with the same password."),
        N_("Enable"),
        Action.SET_DISABLED,
        _enable,
    ),
    "delete": UserAction(
        N_("Delete this user?"),
        N_(
            "The name, the email and all sessions are deleted. "
            "This cannot be undone. To block a user for a "
            "while, disable the user instead."
        ),
        N_("Delete permanently"),
        Action.DELETE_USER,
        _delete,
        True,
    ),
    "make-admin": UserAction(
        N_("Make this user an administrator?"),
        N_("Administrators can see and change all users, including you."),
        N_("Make an administrator"),
        Action.SET_ROLE,
        _promote,
    ),
    "make-member": UserAction(
        N_("Remove the administrator role?"),
        N_("Members see only their own account."),
        N_("Remove the role"),
        Action.SET_ROLE,
        _demote,
        True,
    ),
    "unlock": UserAction(
        N_("Unblock sign-in?"),
        N_(
            "Failed attempts are counted, and after some of them the next"
            " one has to wait. This resets the count. First make sure that"
            " the request really comes from the user."
        ),
        N_("Unblock sign-in"),
        Action.UNLOCK_USER,
        _unlock,
    ),
    "code": UserAction(
        N_("Create a reset code?"),
        N_(
            "You get a link and a code with which the user can set a new"
            " password. They work once, within an hour. Any earlier code"
            " stops working."
        ),
        N_("Create the code"),
        Action.ISSUE_RESET,
        _issue_code,
    ),
    "reset-factors": UserAction(
        N_("Remove the second factors of this user?"),
        N_(
            "For a user who lost the phone and the recovery codes. First make"
            " sure that the request really comes from the user. You get a"
            " link that works once, within an hour, and only with the user's"
            " password. It removes all second factors and signs the user out"
            " everywhere else."
        ),
        N_("Create the link"),
        Action.RESET_FACTORS,
        _reset_factors,
    ),
    "mail": UserAction(
        N_("Email a link for a new password?"),
        N_(
            "The user gets an email with a link to set a new password. The"
            " current password keeps working until then."
        ),
        N_("Send the email"),
        Action.ISSUE_RESET,
        _send_mail,
    ),
    "end-sessions": UserAction(
        N_("Sign out this user everywhere?"),
        N_("Signed out everywhere immediately. Signing in again is possible."),
        N_("Sign out everywhere"),
        Action.END_SESSIONS,
        _end_sessions,
        True,
    ),
}


@pages.get(_PATH)
def confirm_user_action(user_id: str, action: str) -> Response:
    """Ask to confirm an action."""
    chosen = _authorized_action(action, user_id)
    return _confirm_page(chosen, user_or_404(user_id), action)


@pages.post(_PATH)
def perform_user_action(user_id: str, action: str) -> Response:
    """Perform an action, after recent authentication of the admin."""
    chosen = _authorized_action(action, user_id)
    user = User.get(user_id)
    if user is None:
        return redirect(ADMIN, Message.USER_GONE)
    password = current_request().form.get("password", "")
    problem, renewed = check_password_field(
        current_mechanism_and_user()[1], password
    )
    if problem is None:
        try:
            response = _perform(chosen, user)
        except (LastAdmin, FactorResetRefused) as error:
            problem = FormErrors(error.status, alert=error_message(error))
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            return set_session_cookie(response, renewed)
    return set_session_cookie(
        _confirm_page(chosen, user, action, problem, renewed is not None),
        renewed,
    )


def _authorized_action(name: str, user_id: str) -> UserAction:
    """Return the action with this name; 404 if none, 403 if forbidden."""
    chosen = USER_ACTIONS.get(name)
    if chosen is None or (name == "mail" and not is_mail_on()):
        abort(404)
    authorize(chosen.permission, user_id)
    return chosen


def _perform(chosen: UserAction, user: User) -> Response:
    """Perform the action; return the response that shows its result."""
    is_own = user.id == current_actor().id
    try:
        result = chosen.perform(user)
    except RecordGone:
        # Another admin deleted the user meanwhile.
        return redirect(ADMIN, Message.USER_GONE)
    if isinstance(result, Response):
        return result
    if is_own and chosen.ends_own_access:
        return redirect(ACCOUNT)
    is_deleted = result is Message.USER_DELETED
    if is_deleted:
        response = redirect_to(list_url(ADMIN))
        flash(response, result)
        return response
    return go_back(admin_user_path(user.id), result)


def _confirm_page(
    chosen: UserAction,
    user: User,
    name: str,
    problem: FormErrors | None = None,
    is_reauthenticated: bool = False,
) -> Response:
    """Return the confirmation page of an action."""
    home = admin_user_path(user.id)
    asked = Confirmation(
        gettext(chosen.question),
        gettext(chosen.consequence),
        gettext(chosen.button),
        home,
        user_targets([user]),
        is_dangerous=name in DANGEROUS,
    )
    if name == "mail" and is_invited(user):
        asked = asked._replace(
            question=gettext("Email an invitation?"),
            consequence=gettext(
                "The user gets an email with a link to choose a password. It"
                " works once, within 72 hours. Any earlier link stops"
                " working."
            ),
        )
    if name == "code" and is_invited(user):
        asked = asked._replace(
            question=gettext("Create a new invitation?"),
            consequence=gettext(
                "You get a link with which the user chooses a password and"
                " is signed in. It works once. Any earlier link stops"
                " working."
            ),
            button=gettext("Create the link"),
            lifetimes=lifetime_options(),
            valid_hours=str(chosen_hours() or DEFAULT_LIFETIME),
        )
    return confirmation_page(asked, problem, is_reauthenticated)

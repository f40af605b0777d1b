#!/usr/bin/env python3
"""Invite users by a link, list the open invitations, and revoke them.

A link is shown once: the database has only the digest of its code.
"""

from typing import Any

from babel.units import format_unit
from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.accounts.recovery import (
    ResetCode,
    link_path,
    parse_invitation_lifetime,
    revoke_invitation,
)
from vestibule.accounts.users import invite
from vestibule.admin.cursor import InvitationList, list_invitations
from vestibule.api.views.admin import user_or_404
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core import clock
from vestibule.core.errors import InvalidValue, Throttled, VestibuleError
from vestibule.db import codes
from vestibule.db.codes import NEWEST_INVITATIONS_FIRST
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import (
    current_actor,
    current_request,
    public_url,
)
from vestibule.web.admin.lists import FilterForm, count_text, user_names
from vestibule.web.forms import (
    Confirmation,
    FormErrors,
    check_password_field,
    confirmation_page,
    go_back,
    keep_renewed_session,
    password_error,
    render_form,
    require_field,
    user_targets,
)
from vestibule.web.i18n import gettext, language
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import (
    ADMIN,
    ADMIN_INVITATIONS,
    ADMIN_USERS,
    INVITATION,
    RESET,
    admin_user_path,
    back_url,
    pages,
)
from vestibule.web.templating import page

#: The lifetimes of an invitation that can be chosen, in hours.
LIFETIMES = (1, 24, 72, 168)
DEFAULT_LIFETIME = 24
_NAMES = ("email", "first_name", "last_name")
_REVOKE = f"{ADMIN_INVITATIONS}/<user_id>/revoke"


@pages.get(ADMIN_INVITATIONS)
def show_invitations() -> Response:
    """Show the open invitations."""
    authorize(Action.INVITE_USER)
    form, now = FilterForm(ADMIN_INVITATIONS, "sort"), clock.now()
    sort = form.values["sort"]
    found = form.run(
        lambda: list_invitations(sort, form.size, form.cursor, now),
        InvitationList([], None),
    )
    count = ""
    if form.status == 200:
        count = count_text("invitations", codes.count_invitations(now))
    return page(
        "admin_invitations.html",
        form.status,
        invitations=found.invitations,
        count=count,
        names=user_names(each.by_id for each in found.invitations),
        filter=form,
        sort=sort or NEWEST_INVITATIONS_FIRST,
        next=form.link(found.next),
        previous=form.link(found.previous),
    )


@pages.get(f"{ADMIN_USERS}/add")
def show_new_user() -> Response:
    """Show the form that adds a user."""
    authorize(Action.INVITE_USER)
    return _add_user_form()


@pages.post(f"{ADMIN_USERS}/add")
def add_user_page() -> Response:
    """Add a user, and show once the link by which they set a password."""
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
            lifetime = parse_invitation_lifetime(chosen_hours())
            invited = invite(
                *given.values(), actor=current_actor(), lifetime=lifetime
            )
        except InvalidValue as error:
            problem = FormErrors(400, {error.field: error_message(error)})
        except Throttled as error:
            problem = password_error(error, "password")
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            shown = code_page(invited.user, invited.code, is_new=True)
            return set_session_cookie(shown, renewed)
    return set_session_cookie(
        _add_user_form(problem, renewed is not None), renewed
    )


@pages.get(_REVOKE)
def confirm_revocation(user_id: str) -> Response:
    """Ask to confirm that an invitation is to be revoked."""
    authorize(Action.INVITE_USER)
    return _confirm_page(user_or_404(user_id))


@pages.post(_REVOKE)
def revoke_invitation_page(user_id: str) -> Response:
    """Revoke an invitation, after recent authentication of the admin."""
    authorize(Action.INVITE_USER)
    user = User.get(user_id)
    if user is None:
        return go_back(ADMIN_INVITATIONS, Message.USER_GONE)
    problem, renewed = check_password_field(
        current_mechanism_and_user()[1],
        current_request().form.get("password", ""),
    )
    if problem is not None:
        return _confirm_page(user, problem)
    try:
        is_revoked = revoke_invitation(user.id, actor=current_actor())
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    message = (
        Message.INVITATION_REVOKED if is_revoked else Message.INVITATION_GONE
    )
    return set_session_cookie(go_back(ADMIN_INVITATIONS, message), renewed)


def code_page(
    user: User, issued: ResetCode, *, is_new: bool = False
) -> Response:
    """Return the page that shows a link, and its code, once."""
    path, is_invited = (
        link_path(user, issued.code),
        codes.is_invited(user),
    )
    return page(
        "admin_reset_code.html",
        account=user,
        issued=issued,
        link=None if path is None else public_url(path),
        form_url=public_url(INVITATION if is_invited else RESET),
        is_new=is_new,
        is_invitation=is_invited,
        back=back_url(admin_user_path(user.id)),
    )


def chosen_hours() -> int | None:
    """Return the lifetime that the form has; `None` without a number."""
    text = form_entries().get("valid_hours", "")
    return int(text) if text.isascii() and text.isdigit() else None


def lifetime_options() -> list[tuple[str, str]]:
    """Return the lifetimes as values and labels of a select."""
    return [
        (
            str(hours),
            format_unit(hours, "duration-hour", "long", locale=language())
            if hours < 24
            else format_unit(
                hours // 24, "duration-day", "long", locale=language()
            ),
        )
        for hours in LIFETIMES
    ]


def _confirm_page(user: User, problem: FormErrors | None = None) -> Response:
    """Return the confirmation page for revoking an invitation."""
    return confirmation_page(
        Confirmation(
            gettext("Revoke this invitation?"),
            gettext(
                "The link stops working. The account stays, without a"
                " password: you can create a new link, or delete it."
            ),
            gettext("Revoke"),
            ADMIN_INVITATIONS,
            user_targets([user]),
        ),
        problem,
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
        lifetimes=lifetime_options(),
        valid_hours=str(chosen_hours() or DEFAULT_LIFETIME),
        back=back_url(ADMIN),
    )

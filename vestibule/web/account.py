#!/usr/bin/env python3
"""My account: name, email, password, and its end.

Its law: what a thief of an open session would do first asks for the
password, unless it was proved a short time ago.
"""

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.accounts.users import set_names
from vestibule.api.views.account import (
    change_own_email,
    change_own_password,
    set_session_cookie,
)
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.api.views.users import remove_account
from vestibule.core import settings
from vestibule.core.errors import (
    InvalidValue,
    LastAdmin,
    Throttled,
    VestibuleError,
    WrongPassword,
)
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.login import clear_session_cookie
from vestibule.http.request import current_request
from vestibule.web.flash import Message
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    password_error,
    render_form,
    require_field,
)
from vestibule.web.i18n import gettext
from vestibule.web.messages import error_message
from vestibule.web.routes import ACCOUNT, SIGN_IN, pages
from vestibule.web.templating import redirect

_DELETE = f"{ACCOUNT}/delete"
_NAMES = ("first_name", "last_name")


@pages.get(ACCOUNT)
def show_account() -> Response:
    """Show the account with a form for each part of it."""
    return _shown(_asking())


@pages.post(f"{ACCOUNT}/name")
def change_name_here() -> Response:
    """Set both names; an empty one is none."""
    user, form = _asking(), _form(*_NAMES)
    authorize(Action.NAME_USER, user.id)
    before = {name: getattr(user, name) for name in _NAMES}
    try:
        set_names(user, {name: form[name].strip() or None for name in _NAMES})
        user.save_changes()
    except InvalidValue as error:
        set_names(user, before)
        return _shown(
            user, FormErrors(400, {error.field: error_message(error)})
        )
    return redirect(ACCOUNT, Message.NAME_CHANGED)


@pages.post(f"{ACCOUNT}/email")
def change_email_here() -> Response:
    """Change the email, with a proof of the password if none is recent."""
    user, form = _asking(), _form("email", "password")
    told, renewed = check_password_field(user, form["password"], "password")
    before = user.email
    if not form["email"]:
        told = require_field(told, "email")
    elif told is None:
        try:
            change_own_email(user, form["email"])
            return set_session_cookie(
                redirect(ACCOUNT, Message.EMAIL_CHANGED), renewed
            )
        except InvalidValue as error:
            user.email = before
            told = FormErrors(400, {"email": error_message(error)})
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
    return set_session_cookie(_shown(user, told, renewed is not None), renewed)


@pages.post(f"{ACCOUNT}/password")
def change_password_here() -> Response:
    """Change the password; all other sessions end."""
    fields = ("current_password", "new_password")
    user, form = _asking(), _form(*fields)
    told = None
    for name in fields:
        if not form[name]:
            told = require_field(told, name)
    if told is not None:
        return _shown(user, told)
    try:
        renewed = change_own_password(user, *form.values())
    except InvalidValue as error:
        return _shown(
            user, FormErrors(400, {"new_password": error_message(error)})
        )
    except (WrongPassword, Throttled) as error:
        return _shown(user, password_error(error, "current_password"))
    return set_session_cookie(
        redirect(ACCOUNT, Message.PASSWORD_CHANGED), renewed
    )


@pages.get(_DELETE)
def show_deletion() -> Response:
    """Ask whether the account is really to be deleted."""
    _asking()
    return _deletion()


@pages.post(_DELETE)
def delete_account_here() -> Response:
    """Delete the account, with a proof of the password if none is recent."""
    user, form = _asking(), _form("password")
    authorize(Action.DELETE_USER, user.id)
    told, renewed = check_password_field(user, form["password"], "password")
    if told is None:
        try:
            remove_account(user)
        except LastAdmin:
            told = FormErrors(
                409,
                alert=gettext(
                    "You are the last administrator, and somebody has to"
                    " manage the others. Make somebody else one first."
                ),
            )
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            response = redirect(SIGN_IN, Message.ACCOUNT_DELETED)
            clear_session_cookie(response)
            return response
    return set_session_cookie(_deletion(told, renewed is not None), renewed)


def _asking() -> User:
    """Return the user who asks."""
    return current_mechanism_and_user()[1]


def _form(*names: str) -> dict[str, str]:
    """Return what was typed into these fields, or nothing."""
    request = current_request()
    return {name: request.form.get(name, "") for name in names}


def _shown(
    user: User, told: FormErrors | None = None, is_proved: bool = False
) -> Response:
    """Return the page with what was typed, but for passwords."""
    typed = current_request().form
    return render_form(
        "account.html",
        told,
        is_proved,
        account=user,
        values={
            name: typed.get(name, getattr(user, name) or "")
            for name in (*_NAMES, "email")
        },
        least=settings.PASSWORD_MIN_LENGTH.read(),
    )


def _deletion(
    told: FormErrors | None = None, is_proved: bool = False
) -> Response:
    """Return the page that asks before the account is deleted."""
    return render_form("delete_account.html", told, is_proved)

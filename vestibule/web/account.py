#!/usr/bin/env python3
"""My account: name, email, password, and its end.

Its law: what a thief of an open session would do first asks for the
password, unless it was proved a short time ago.
"""

from flask import Response

from api.v1.entry import forget_session
from api.v1.permit import permit
from api.v1.request import current_request
from api.v1.views.account import (
    own_new_email,
    own_new_password,
    with_session,
)
from api.v1.views.sessions import asking
from api.v1.views.users import remove_account
from models.user import User
from vestibule import settings
from vestibule.accounts.policy import Action
from vestibule.accounts.registration import set_names
from vestibule.errors import (
    InvalidValue,
    LastAdmin,
    Throttled,
    VestibuleError,
    WrongPassword,
)
from vestibule.web.addresses import ACCOUNT, SIGN_IN
from vestibule.web.blueprint import pages
from vestibule.web.language import gettext
from vestibule.web.notices import Notice
from vestibule.web.proving import (
    Told,
    answered,
    keep_session,
    missing,
    proof_of,
    refusal,
)
from vestibule.web.rendering import redirect
from vestibule.web.wording import said

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
    permit(Action.NAME_USER, user.id)
    before = {name: getattr(user, name) for name in _NAMES}
    try:
        set_names(user, {name: form[name].strip() or None for name in _NAMES})
        user.save_changes()
    except InvalidValue as error:
        set_names(user, before)
        return _shown(user, Told(400, {error.field: said(error)}))
    return redirect(ACCOUNT, Notice.NAME_CHANGED)


@pages.post(f"{ACCOUNT}/email")
def change_email_here() -> Response:
    """Change the email, with a proof of the password if none is recent."""
    user, form = _asking(), _form("email", "password")
    told, renewed = proof_of(user, form["password"], "password")
    before = user.email
    if not form["email"]:
        told = missing(told, "email")
    elif told is None:
        try:
            own_new_email(user, form["email"])
            return with_session(
                redirect(ACCOUNT, Notice.EMAIL_CHANGED), renewed
            )
        except InvalidValue as error:
            user.email = before
            told = Told(400, {"email": said(error)})
        except VestibuleError:
            keep_session(renewed)
            raise
    return with_session(_shown(user, told, renewed is not None), renewed)


@pages.post(f"{ACCOUNT}/password")
def change_password_here() -> Response:
    """Change the password; all other sessions end."""
    fields = ("current_password", "new_password")
    user, form = _asking(), _form(*fields)
    told = None
    for name in fields:
        if not form[name]:
            told = missing(told, name)
    if told is not None:
        return _shown(user, told)
    try:
        renewed = own_new_password(user, *form.values())
    except InvalidValue as error:
        return _shown(user, Told(400, {"new_password": said(error)}))
    except (WrongPassword, Throttled) as error:
        return _shown(user, refusal(error, "current_password"))
    return with_session(redirect(ACCOUNT, Notice.PASSWORD_CHANGED), renewed)


@pages.get(_DELETE)
def show_deletion() -> Response:
    """Ask whether the account is really to be deleted."""
    _asking()
    return _deletion()


@pages.post(_DELETE)
def delete_account_here() -> Response:
    """Delete the account, with a proof of the password if none is recent.
    """
    user, form = _asking(), _form("password")
    permit(Action.DELETE_USER, user.id)
    told, renewed = proof_of(user, form["password"], "password")
    if told is None:
        try:
            remove_account(user)
        except LastAdmin:
            told = Told(409, alert=gettext(
                "You are the last administrator, and somebody has to manage"
                " the others. Make somebody else one first."
            ))
        except VestibuleError:
            keep_session(renewed)
            raise
        else:
            response = redirect(SIGN_IN, Notice.ACCOUNT_DELETED)
            forget_session(response)
            return response
    return with_session(_deletion(told, renewed is not None), renewed)


def _asking() -> User:
    """Return the user who asks."""
    return asking()[1]


def _form(*names: str) -> dict[str, str]:
    """Return what was typed into these fields, or nothing."""
    request = current_request()
    return {name: request.form.get(name, "") for name in names}


def _shown(
    user: User, told: Told | None = None, is_proved: bool = False
) -> Response:
    """Return the page with what was typed, but for passwords."""
    typed = current_request().form
    return answered("account.html", told, is_proved, account=user, values={
        name: typed.get(name, getattr(user, name) or "")
        for name in (*_NAMES, "email")
    }, least=settings.PASSWORD_MIN_LENGTH.read())


def _deletion(told: Told | None = None, is_proved: bool = False) -> Response:
    """Return the page that asks before the account is deleted."""
    return answered("delete.html", told, is_proved)

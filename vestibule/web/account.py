#!/usr/bin/env python3
"""The account page: change name, email and password, delete the account.

Changes that would let a thief of the session take over the account ask
for the password, unless it was entered within `REAUTH_WINDOW`.
"""

from flask import Response

from vestibule.accounts.credentials import change_email
from vestibule.accounts.mail_flows import ask_for_change
from vestibule.accounts.passkeys import site
from vestibule.accounts.permissions import Action, deadline_to_show
from vestibule.accounts.users import remove, set_names
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.api.views.users import change_own_password
from vestibule.core import settings
from vestibule.core.access_settings import has_secrets_key
from vestibule.core.errors import (
    InvalidValue,
    LastAdmin,
    Throttled,
    VestibuleError,
    WrongPassword,
)
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.http.access import (
    authorize,
    may_change_email,
    require_email_permission,
)
from vestibule.http.login import clear_session_cookie, set_session_cookie
from vestibule.http.request import (
    current_actor,
    current_request,
    current_store,
)
from vestibule.mail.notices import is_mail_on
from vestibule.web.forms import (
    FormErrors,
    check_password_field,
    keep_renewed_session,
    missing_fields,
    password_error,
    render_form,
    require_field,
)
from vestibule.web.i18n import gettext, language
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import ACCOUNT, PASSWORD, SIGN_IN, pages
from vestibule.web.templating import redirect

_DELETE = f"{ACCOUNT}/delete"
_NAMES = ("first_name", "last_name")


@pages.get(f"{ACCOUNT}/name")
@pages.get(f"{ACCOUNT}/email")
@pages.get(f"{ACCOUNT}/confirmation")
@pages.get(f"{ACCOUNT}/notices")
@pages.get(PASSWORD)
@pages.get(ACCOUNT)
def show_account() -> Response:
    """Show the account, with a form for each part.

    The address of each form shows it too: after an error, and after a new
    sign-in.
    """
    return _account_page(current_mechanism_and_user()[1])


@pages.post(f"{ACCOUNT}/name")
def change_own_name_page() -> Response:
    """Set both names; an empty field removes the name."""
    user, form = current_mechanism_and_user()[1], _form(*_NAMES)
    authorize(Action.NAME_USER, user.id)
    before = {name: getattr(user, name) for name in _NAMES}
    try:
        set_names(user, {name: form[name].strip() or None for name in _NAMES})
        user.save_changes()
    except InvalidValue as error:
        set_names(user, before)
        return _account_page(
            user, FormErrors(400, {error.field: error_message(error)})
        )
    return redirect(ACCOUNT, Message.NAME_CHANGED)


@pages.post(f"{ACCOUNT}/email")
def change_own_email_page() -> Response:
    """Change the email, after recent authentication."""
    user = current_mechanism_and_user()[1]
    require_email_permission()
    form = _form("email", "password")
    problem, renewed = check_password_field(user, form["password"])
    before = user.email
    if not form["email"]:
        problem = require_field(problem, "email")
    elif problem is None:
        try:
            return set_session_cookie(
                redirect(ACCOUNT, _change_email(user, form["email"])), renewed
            )
        except InvalidValue as error:
            user.email = before
            problem = FormErrors(400, {"email": error_message(error)})
        except Throttled as error:
            problem = password_error(error, "password")
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
    return set_session_cookie(
        _account_page(user, problem, renewed is not None), renewed
    )


def _change_email(user: User, email: str) -> Message:
    """Change the email, or with mail send a link to it that does."""
    if is_mail_on():
        ask_for_change(user, email, actor=current_actor(), language=language())
        return Message.CHANGE_SENT
    change_email(user, email, actor=current_actor())
    return Message.EMAIL_CHANGED


@pages.post(PASSWORD)
def change_own_password_page() -> Response:
    """Change the password, which ends all other sessions."""
    fields = ("current_password", "new_password")
    user, form = current_mechanism_and_user()[1], _form(*fields)
    if missing := missing_fields(fields):
        return _account_page(user, FormErrors(400, missing))
    try:
        renewed = change_own_password(user, *form.values())
    except InvalidValue as error:
        return _account_page(
            user, FormErrors(400, {"new_password": error_message(error)})
        )
    except (WrongPassword, Throttled) as error:
        return _account_page(user, password_error(error, "current_password"))
    return set_session_cookie(
        redirect(ACCOUNT, Message.PASSWORD_CHANGED), renewed
    )


@pages.get(_DELETE)
def confirm_delete_account() -> Response:
    """Ask to confirm that the account is to be deleted."""
    user = current_mechanism_and_user()[1]
    return render_form("delete_account.html", account=user)


@pages.post(_DELETE)
def delete_own_account_page() -> Response:
    """Delete the account, after recent authentication."""
    user, form = current_mechanism_and_user()[1], _form("password")
    authorize(Action.DELETE_USER, user.id)
    problem, renewed = check_password_field(user, form["password"])
    if problem is None:
        try:
            remove(user, current_store(), actor=current_actor())
        except LastAdmin:
            problem = FormErrors(
                409,
                alert=gettext(
                    "You are the last administrator. Make "
                    "another user an administrator first."
                ),
            )
        except VestibuleError:
            keep_renewed_session(renewed)
            raise
        else:
            response = redirect(SIGN_IN, Message.ACCOUNT_DELETED)
            clear_session_cookie(response)
            return response
    return set_session_cookie(
        render_form(
            "delete_account.html", problem, renewed is not None, account=user
        ),
        renewed,
    )


def _form(*names: str) -> dict[str, str]:
    """Return the values of these form fields; a missing one is empty."""
    request = current_request()
    return {name: request.form.get(name, "") for name in names}


def _account_page(
    user: User,
    problem: FormErrors | None = None,
    is_reauthenticated: bool = False,
) -> Response:
    """Return the account page; fields keep their values, except passwords."""
    form = form_entries()
    kinds = [one.kind for one in factors.of_user(user.id)]
    apps, passkeys = kinds.count(factors.TOTP), kinds.count(factors.PASSKEY)
    return render_form(
        "account.html",
        problem,
        is_reauthenticated,
        account=user,
        may_change_email=may_change_email(),
        apps=apps,
        passkeys=passkeys,
        has_factors=bool(apps or passkeys)
        or has_secrets_key()
        or site() is not None,
        factor_due=deadline_to_show(user),
        values={
            name: form.get(name, getattr(user, name) or "")
            for name in (*_NAMES, "email")
        },
        device_notices="device_notices" in form or user.device_notices,
        min_length=settings.PASSWORD_MIN_LENGTH.read(),
    )

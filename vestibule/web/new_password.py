#!/usr/bin/env python3
"""Public pages that set a password: register, reset, and first setup.

- `/register` creates an account, if `REGISTRATION=open`.
- `/reset` and `/account/invitation` set a password with the code that an
  admin issued, and sign the user in. A link to them has the email and the
  code in its fragment, with which the script fills the form.
- `/setup` creates the first admin with the code that the server printed
  at startup, while there are no users.
"""

from typing import Any

from flask import Response, abort

from vestibule.accounts.users import (
    SETUP_CODE_LIFETIME,
    create_first_admin,
    has_setup_code,
    needs_first_admin,
    register,
)
from vestibule.api.views.session_auth import set_password_with
from vestibule.core import page_settings, settings
from vestibule.core.errors import (
    EmailNotConfirmed,
    InvalidValue,
    SecondFactorRequired,
    Throttled,
    WrongCode,
)
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_actor, current_request
from vestibule.mail.notices import is_mail_on
from vestibule.mail.outbox import has_token, token_in
from vestibule.web.forms import missing_fields
from vestibule.web.i18n import language
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import (
    Message,
    error_message,
    flash,
    throttled_message,
)
from vestibule.web.routes import (
    ACCOUNT,
    INVITATION,
    REGISTER,
    RESET,
    SETUP,
    SIGN_IN,
    WELCOME,
    after_sign_in_url,
    own_url,
    pages,
    public,
    with_return_url,
)
from vestibule.web.sign_in import log_in_and_redirect
from vestibule.web.templating import entry_page, redirect, redirect_to

_REGISTER_REQUIRED = ("email", "password")
_REGISTER_SHOWN = ("email", "first_name", "last_name")
_RESET_FIELDS = ("email", "code", "new_password")
_SETUP_FIELDS = ("code", "email", "password")


@pages.get(REGISTER)
@public
def show_register() -> Response:
    """Show the registration form."""
    _require_open_registration()
    if current_request().current_user is not None:
        return redirect_to(after_sign_in_url())
    if needs_first_admin():
        return redirect(with_return_url(SETUP))
    return _register_form(200)


@pages.post(REGISTER)
@public
def create_account() -> Response:
    """Create an account and sign its user in."""
    _require_open_registration()
    form = current_request().form
    # Else a stranger could register first, and there would be no admin.
    if needs_first_admin():
        return redirect(with_return_url(SETUP))
    if missing := missing_fields(_REGISTER_REQUIRED):
        return _register_form(400, missing)
    try:
        user = register(
            form["email"],
            form["password"],
            form.get("first_name") or None,
            form.get("last_name") or None,
            strict=True,
            language=language(),
            actor=current_actor(),
        )
    except InvalidValue as error:
        return _register_form(400, {error.field: error_message(error)})
    except Throttled as error:
        return _retry_later(
            _register_form(429, {}, throttled_message(error.retry_after)),
            error,
        )
    try:
        response = log_in_and_redirect(user)
    except EmailNotConfirmed:
        return redirect(with_return_url(SIGN_IN), Message.CONFIRM_FIRST)
    return response or redirect(with_return_url(SIGN_IN))


@pages.get(RESET)
@pages.get(INVITATION)
@public
def show_reset() -> Response:
    """Show the form for a reset code or an invitation."""
    return _reset_form(200)


@pages.post(RESET)
@pages.post(INVITATION)
@public
def reset_password() -> Response:
    """Set a password, if email and code are right.

    An admin's code signs the user in; a mail's link or code does not, so
    that it skips no second factor (ASVS 5.0, 6.4.3).
    """
    form = current_request().form
    link = form.get("code", "")
    is_link = is_mail_on() and has_token(link)
    needed = _RESET_FIELDS[1:] if is_link else _RESET_FIELDS
    if missing := missing_fields(needed):
        return _reset_form(400, missing)
    entries = {name: form.get(name, "") for name in _RESET_FIELDS}
    if is_link:
        entries["token"] = token_in(link)
    try:
        user = set_password_with(entries)
    except WrongCode as error:
        return _reset_form(400, alert=error_message(error))
    except InvalidValue as error:
        return _reset_form(400, {"new_password": error_message(error)})
    except Throttled as error:
        return _retry_later(
            _reset_form(429, alert=throttled_message(error.retry_after)),
            error,
        )
    try:
        response = None if user is None else log_in_and_redirect(user)
    except (SecondFactorRequired, EmailNotConfirmed):
        # The sign-in page asks for the factor, or says what is missing.
        response = None
    if response is None:
        return redirect(with_return_url(SIGN_IN), Message.PASSWORD_RESET)
    if response.location == own_url(ACCOUNT):
        flash(response, Message.PASSWORD_SET)
    return response


@pages.get(SETUP)
@public
def show_setup() -> Response:
    """Show the form for the first admin, while there are no users."""
    return _setup_form(200, {}) if needs_first_admin() else _already_set_up()


@pages.post(SETUP)
@public
def set_up() -> Response:
    """Create the first admin and sign them in."""
    form = current_request().form
    if not needs_first_admin():
        return _already_set_up()
    if missing := missing_fields(_SETUP_FIELDS):
        return _setup_form(400, missing)
    try:
        admin = create_first_admin(
            **{name: form[name] for name in _SETUP_FIELDS},
            actor=current_actor(),
        )
    except WrongCode as error:
        # Another request may have created the first admin meanwhile.
        if not needs_first_admin():
            return _already_set_up()
        return _setup_form(400, {"code": error_message(error)})
    except InvalidValue as error:
        return _setup_form(400, {error.field: error_message(error)})
    except Throttled as error:
        return _retry_later(
            _setup_form(429, {}, throttled_message(error.retry_after)), error
        )
    welcome = own_url(with_return_url(WELCOME))
    return log_in_and_redirect(admin, welcome) or redirect(
        with_return_url(SIGN_IN)
    )


@pages.get(WELCOME)
def show_welcome() -> Response:
    """Show the first admin what to do next."""
    return entry_page("welcome.html")


def _require_open_registration() -> None:
    """Abort with 404 unless users may create accounts themselves."""
    if page_settings.REGISTRATION.read() != "open":
        abort(404)


def _already_set_up() -> Response:
    """Return a redirect away from setup, because there is a user."""
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return redirect(with_return_url(SIGN_IN), Message.SETUP_IS_DONE)


def _retry_later(response: MinimalResponse, error: Throttled) -> Response:
    """Return `response` with the seconds to wait in `Retry-After`."""
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _register_form(
    status: int,
    errors: dict[str, str] | None = None,
    alert: str | None = None,
) -> MinimalResponse:
    """Return the registration form."""
    return _form("register.html", status, _REGISTER_SHOWN, errors, alert)


def _reset_form(
    status: int,
    errors: dict[str, str] | None = None,
    alert: str | None = None,
) -> MinimalResponse:
    """Return the form for a reset code, or for an invitation."""
    return _form(
        "reset.html",
        status,
        ("email", "code"),
        errors,
        alert,
        is_invitation=current_request().path.rstrip("/") == INVITATION,
    )


def _setup_form(
    status: int, errors: dict[str, str], alert: str | None = None
) -> MinimalResponse:
    """Return the form for the first admin, or how to get a code for it."""
    return _form(
        "setup.html",
        status,
        ("code", "email"),
        errors,
        alert,
        is_code_waiting=has_setup_code(),
        minutes=int(SETUP_CODE_LIFETIME.total_seconds()) // 60,
    )


def _form(
    template: str,
    status: int,
    names: tuple[str, ...],
    errors: dict[str, str] | None,
    alert: str | None,
    **values: Any,
) -> MinimalResponse:
    """Return a form that asks for a new password.

    The fields `names` keep their values. The password is not among them:
    a response never contains one.
    """
    form = form_entries()
    return entry_page(
        template,
        status,
        alert=alert,
        errors=errors or {},
        values={name: form.get(name, "") for name in names},
        min_length=settings.PASSWORD_MIN_LENGTH.read(),
        **values,
    )

#!/usr/bin/env python3
"""Making an account for oneself, where the house lets everybody do so."""

from flask import Response, abort

from vestibule.accounts.first_admin import needs_first_admin
from vestibule.accounts.throttle import throttle
from vestibule.accounts.users import register
from vestibule.core import settings
from vestibule.core.errors import DuplicateEmail, InvalidValue, Throttled
from vestibule.db.models.user import User, email_key
from vestibule.http.request import current_actor, current_request
from vestibule.web.i18n import gettext
from vestibule.web.messages import error_message, throttled_message
from vestibule.web.routes import ACCOUNT, SETUP, SIGN_IN, pages, public
from vestibule.web.sign_in import log_in_and_redirect
from vestibule.web.templating import new_password_page, redirect

_NEEDED = ("email", "password")
_SHOWN = ("email", "first_name", "last_name")


@pages.get("/register")
@public
def show_register() -> Response:
    """Show the form."""
    _require_open()
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return redirect(SETUP) if needs_first_admin() else _form(200)


@pages.post("/register")
@public
def make_account() -> Response:
    """Make an account, and sign its owner in."""
    _require_open()
    request = current_request()
    # Else a stranger would be there first, and nobody an admin.
    if needs_first_admin():
        return redirect(SETUP)
    if missing := {
        name: gettext("Please fill this in.")
        for name in _NEEDED
        if not request.form.get(name)
    }:
        return _form(400, missing)
    try:
        user = _registered()
    except InvalidValue as error:
        return _form(400, {error.field: error_message(error)})
    except Throttled as error:
        response = _form(429, {}, throttled_message(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return log_in_and_redirect(user) or redirect(SIGN_IN)


def _registered() -> User:
    """Store the user of the form; raise what `register` raises.

    The answer tells who has an account, so asking gets slow: `Throttled`.
    """
    form = current_request().form
    attempt = throttle().attempt(
        f"register {email_key(form['email'])}", current_actor()
    )
    attempt.begin()
    try:
        user = register(
            form["email"],
            form["password"],
            form.get("first_name") or None,
            form.get("last_name") or None,
        )
    except DuplicateEmail:
        attempt.fail()
        raise
    attempt.succeed()
    return user


def _require_open() -> None:
    """Abort with 404 where people do not make accounts for themselves."""
    if settings.REGISTRATION.read() != "open":
        abort(404)


def _form(
    status: int,
    errors: dict[str, str] | None = None,
    alert: str | None = None,
) -> Response:
    """Return the form with what was typed, but for the password."""
    return new_password_page("register.html", status, _SHOWN, errors, alert)

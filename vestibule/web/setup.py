#!/usr/bin/env python3
"""The first run: nobody has an account yet, and somebody makes the first.

Its law: it opens by the code that the server printed and by nothing else,
and it is gone once there is a user.
"""

from flask import Response

from vestibule.accounts.first_admin import (
    SETUP_CODE_LIFETIME,
    create_first_admin,
    has_setup_code,
    needs_first_admin,
)
from vestibule.core.errors import InvalidValue, Throttled, WrongCode
from vestibule.http.request import current_actor, current_request
from vestibule.web.flash import Message
from vestibule.web.i18n import gettext
from vestibule.web.messages import error_message, throttled_message
from vestibule.web.routes import SETUP, SIGN_IN, pages, public
from vestibule.web.sign_in import log_in_and_redirect
from vestibule.web.templating import new_password_page, redirect

_FIELDS = ("code", "email", "password")


@pages.get(SETUP)
@public
def show_setup() -> Response:
    """Show the form, as long as there is nobody."""
    return _form(200, {}) if needs_first_admin() else _too_late()


@pages.post(SETUP)
@public
def set_up() -> Response:
    """Make the first admin, and sign them in."""
    request = current_request()
    given = {name: request.form.get(name, "") for name in _FIELDS}
    if not needs_first_admin():
        return _too_late()
    if missing := {
        name: gettext("Please fill this in.")
        for name, value in given.items()
        if not value
    }:
        return _form(400, missing)
    try:
        admin = create_first_admin(**given, actor=current_actor())
    except WrongCode as error:
        # Perhaps somebody was faster.
        if not needs_first_admin():
            return _too_late()
        return _form(400, {"code": error_message(error)})
    except InvalidValue as error:
        return _form(400, {error.field: error_message(error)})
    except Throttled as error:
        response = _form(429, {}, throttled_message(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return log_in_and_redirect(admin) or redirect(SIGN_IN)


def _form(
    status: int, errors: dict[str, str], alert: str | None = None
) -> Response:
    """Return the form with what was typed, but for the password."""
    return new_password_page(
        "setup.html",
        status,
        ("code", "email"),
        errors,
        alert,
        is_code_waiting=has_setup_code(),
        minutes=int(SETUP_CODE_LIFETIME.total_seconds()) // 60,
    )


def _too_late() -> Response:
    """Send on who comes when there is a user already."""
    if current_request().current_user is not None:
        return redirect("/")
    return redirect(SIGN_IN, Message.SET_UP_BEFORE)

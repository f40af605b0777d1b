#!/usr/bin/env python3
"""The first run: nobody has an account yet, and somebody makes the first.

Its law: it opens by the code that the server printed and by nothing else,
and it is gone once there is a user.
"""

from flask import Response

from api.v1.request import current_request
from vestibule.accounts.first_run import (
    LIFETIME,
    is_code_waiting,
    is_pending,
    make_first_admin,
)
from vestibule.errors import InvalidValue, Throttled, WrongCode
from vestibule.web.addresses import SETUP, SIGN_IN
from vestibule.web.blueprint import open_to_all, pages
from vestibule.web.language import gettext
from vestibule.web.notices import Notice
from vestibule.web.rendering import new_password_page, redirect
from vestibule.web.sign_in import let_in
from vestibule.web.wording import said, too_many_attempts

_FIELDS = ("code", "email", "password")


@pages.get(SETUP)
@open_to_all
def show_setup() -> Response:
    """Show the form, as long as there is nobody."""
    return _form(200, {}) if is_pending() else _too_late()


@pages.post(SETUP)
@open_to_all
def set_up() -> Response:
    """Make the first admin, and sign them in."""
    request = current_request()
    given = {name: request.form.get(name, "") for name in _FIELDS}
    if not is_pending():
        return _too_late()
    if missing := {
        name: gettext("Please fill this in.")
        for name, value in given.items() if not value
    }:
        return _form(400, missing)
    try:
        admin = make_first_admin(**given)
    except WrongCode:
        # Perhaps somebody was faster.
        if not is_pending():
            return _too_late()
        return _form(400, {"code": gettext("This code is wrong, or too old.")})
    except InvalidValue as error:
        return _form(400, {error.field: said(error)})
    except Throttled as error:
        response = _form(429, {}, too_many_attempts(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return let_in(admin) or redirect(SIGN_IN)


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
        is_code_waiting=is_code_waiting(),
        minutes=int(LIFETIME.total_seconds()) // 60,
    )


def _too_late() -> Response:
    """Send on who comes when there is a user already."""
    if current_request().current_user is not None:
        return redirect("/")
    return redirect(SIGN_IN, Notice.SET_UP_BEFORE)

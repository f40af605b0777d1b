#!/usr/bin/env python3
"""A forgotten password: set a new one with the code that an admin gave."""

from flask import Response

from api.v1.request import current_request
from vestibule.accounts.reset import set_forgotten_password
from vestibule.errors import InvalidValue, Throttled, WrongCode
from vestibule.web.addresses import SIGN_IN
from vestibule.web.blueprint import open_to_all, pages
from vestibule.web.language import gettext
from vestibule.web.notices import Notice
from vestibule.web.rendering import new_password_page, redirect
from vestibule.web.wording import said, too_many_attempts

_FIELDS = ("email", "code", "new_password")


@pages.get("/reset")
@open_to_all
def show_reset() -> Response:
    """Show the form."""
    return _form(200)


@pages.post("/reset")
@open_to_all
def reset_password() -> Response:
    """Set the password of the form's email, if the code is right."""
    request = current_request()
    form = request.form
    if missing := {
        name: gettext("Please fill this in.")
        for name in _FIELDS if not form.get(name)
    }:
        return _form(400, missing)
    store = getattr(request.mechanism, "store", None)
    try:
        set_forgotten_password(
            form["email"], form["code"], form["new_password"], store
        )
    except WrongCode:
        return _form(400, alert=gettext(
            "The code does not fit this email, was used, or is older than"
            " an hour. Your administrator can give you a new one."
        ))
    except InvalidValue as error:
        return _form(400, {"new_password": said(error)})
    except Throttled as error:
        response = _form(429, alert=too_many_attempts(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return redirect(SIGN_IN, Notice.PASSWORD_RESET)


def _form(
    status: int, errors: dict[str, str] | None = None,
    alert: str | None = None,
) -> Response:
    """Return the form with what was typed, but for the password."""
    return new_password_page("reset.html", status, _FIELDS[:2], errors, alert)

#!/usr/bin/env python3
"""A forgotten password: set a new one with the code that an admin gave."""

from flask import Response

from vestibule.accounts.password_reset import set_forgotten_password
from vestibule.core.errors import InvalidValue, Throttled, WrongCode
from vestibule.http.request import current_actor, current_request
from vestibule.web.flash import Message
from vestibule.web.i18n import gettext
from vestibule.web.messages import error_message, throttled_message
from vestibule.web.routes import SIGN_IN, pages, public
from vestibule.web.templating import new_password_page, redirect

_FIELDS = ("email", "code", "new_password")


@pages.get("/reset")
@public
def show_reset() -> Response:
    """Show the form."""
    return _form(200)


@pages.post("/reset")
@public
def reset_password() -> Response:
    """Set the password of the form's email, if the code is right."""
    request = current_request()
    form = request.form
    if missing := {
        name: gettext("Please fill this in.")
        for name in _FIELDS
        if not form.get(name)
    }:
        return _form(400, missing)
    store = getattr(request.mechanism, "store", None)
    try:
        set_forgotten_password(
            form["email"],
            form["code"],
            form["new_password"],
            store,
            actor=current_actor(),
        )
    except WrongCode as error:
        return _form(400, alert=error_message(error))
    except InvalidValue as error:
        return _form(400, {"new_password": error_message(error)})
    except Throttled as error:
        response = _form(429, alert=throttled_message(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    return redirect(SIGN_IN, Message.PASSWORD_RESET)


def _form(
    status: int,
    errors: dict[str, str] | None = None,
    alert: str | None = None,
) -> Response:
    """Return the form with what was typed, but for the password."""
    return new_password_page("reset.html", status, _FIELDS[:2], errors, alert)

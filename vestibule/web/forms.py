#!/usr/bin/env python3
"""Pages that ask for the password again, and say what is wrong with forms.

Its law: what a thief of an open session would do first asks for the
password, unless it was proved a short time ago.
"""

from dataclasses import dataclass, field

from flask import after_this_request

from vestibule.api.views.account import reauthenticate_user, set_session_cookie
from vestibule.core.errors import Throttled, WrongPassword
from vestibule.db.models.user import User
from vestibule.http.access import has_recent_auth
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_request
from vestibule.http.responses import add_challenge
from vestibule.web.i18n import gettext
from vestibule.web.messages import error_message
from vestibule.web.templating import page


@dataclass
class FormErrors:
    """What is wrong with a form that was sent."""

    status: int
    #: By field; and about the whole of it.
    errors: dict[str, str] = field(default_factory=dict)
    alert: str | None = None
    #: Seconds to wait, if one has to.
    wait: int | None = None


def check_password_field(
    user: User, password: str, name: str
) -> tuple[FormErrors | None, str | None]:
    """Return what is wrong with the proof, and a session's new id.

    Neither is needed if the password was proved a short time ago. `name`
    is that of the field.
    """
    if has_recent_auth():
        return None, None
    if not password:
        return require_field(None, name), None
    try:
        return None, reauthenticate_user(user, password)
    except (WrongPassword, Throttled) as error:
        return password_error(error, name), None


def keep_renewed_session(renewed: str | None) -> None:
    """Let the page of an error carry the session's new id.

    The browser has the old one, which is dead since the proof.
    """
    after_this_request(lambda response: set_session_cookie(response, renewed))


def require_field(told: FormErrors | None, name: str) -> FormErrors:
    """Return that this field has to be filled in, too."""
    told = told or FormErrors(400)
    told.errors[name] = gettext("Please fill this in.")
    return told


def password_error(error: WrongPassword | Throttled, name: str) -> FormErrors:
    """Return why the password in the field `name` was not taken."""
    text = error_message(error)
    if isinstance(error, Throttled):
        return FormErrors(429, alert=text, wait=error.retry_after)
    return FormErrors(401, {name: text})


def render_form(
    template: str, told: FormErrors | None, is_proved: bool, **values: object
) -> MinimalResponse:
    """Return the page that `template` makes, as what is told demands."""
    told = told or FormErrors(200)
    response = page(
        template,
        told.status,
        alert=told.alert,
        errors=told.errors,
        needs_password=not (is_proved or has_recent_auth()),
        **values,
    )
    if told.wait is not None:
        response.headers["Retry-After"] = str(told.wait)
    if told.status == 401:
        add_challenge(response, current_request().mechanism)
    return response

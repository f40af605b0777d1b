#!/usr/bin/env python3
"""Pages that ask for the password again, and say what is wrong with forms.

Its law: what a thief of an open session would do first asks for the
password, unless it was proved a short time ago.
"""

from dataclasses import dataclass, field

from flask import after_this_request

from api.v1.answers import challenged
from api.v1.lean import LeanResponse
from api.v1.proof import has_recent_proof
from api.v1.request import current_request
from api.v1.views.account import proved_again, with_session
from models.user import User
from vestibule.errors import Throttled, WrongPassword
from vestibule.web.language import gettext
from vestibule.web.rendering import page
from vestibule.web.wording import too_many_attempts


@dataclass
class Told:
    """What is wrong with a form that was sent."""

    status: int
    #: By field; and about the whole of it.
    errors: dict[str, str] = field(default_factory=dict)
    alert: str | None = None
    #: Seconds to wait, if one has to.
    wait: int | None = None


def proof_of(
    user: User, password: str, name: str
) -> tuple[Told | None, str | None]:
    """Return what is wrong with the proof, and a session's new id.

    Neither is needed if the password was proved a short time ago. `name`
    is that of the field.
    """
    if has_recent_proof():
        return None, None
    if not password:
        return missing(None, name), None
    try:
        return None, proved_again(user, password)
    except (WrongPassword, Throttled) as error:
        return refusal(error, name), None


def keep_session(renewed: str | None) -> None:
    """Let the page of an error carry the session's new id.

    The browser has the old one, which is dead since the proof.
    """
    after_this_request(lambda response: with_session(response, renewed))


def missing(told: Told | None, name: str) -> Told:
    """Return that this field has to be filled in, too."""
    told = told or Told(400)
    told.errors[name] = gettext("Please fill this in.")
    return told


def refusal(error: WrongPassword | Throttled, name: str) -> Told:
    """Return why the password in the field `name` was not taken."""
    if isinstance(error, Throttled):
        wait = error.retry_after
        return Told(429, alert=too_many_attempts(wait), wait=wait)
    return Told(401, {name: gettext("This is not your password.")})


def answered(
    template: str, told: Told | None, is_proved: bool, **values: object
) -> LeanResponse:
    """Return the page that `template` makes, as what is told demands."""
    told = told or Told(200)
    response = page(
        template,
        told.status,
        alert=told.alert,
        errors=told.errors,
        needs_password=not (is_proved or has_recent_proof()),
        **values,
    )
    if told.wait is not None:
        response.headers["Retry-After"] = str(told.wait)
    if told.status == 401:
        challenged(response, current_request().mechanism)
    return response

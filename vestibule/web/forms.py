#!/usr/bin/env python3
"""Forms: what is wrong with the data sent, re-authentication, confirmation.

Actions that a stolen session must not allow ask for the password again,
unless the user entered it within `REAUTH_WINDOW`. Every action of an admin
has a page that asks to confirm it. After it and after Cancel, the admin is
at the page that `back` names: the same place of the list, with the same
filter.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import after_this_request

from vestibule.accounts.passkeys import site
from vestibule.core.errors import (
    FactorSwitchedOff,
    PasskeyRefused,
    Throttled,
    WrongPassword,
    WrongSecondFactor,
)
from vestibule.db import factors
from vestibule.db.factors import PASSKEY, TOTP
from vestibule.db.models.user import User
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.login import set_session_cookie
from vestibule.http.recent_auth import (
    has_recent_auth,
    reauthenticate_by_code,
    reauthenticate_by_passkey,
    reauthenticate_user,
)
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import add_challenge
from vestibule.web import messages
from vestibule.web.i18n import gettext
from vestibule.web.messages import Message, error_message
from vestibule.web.routes import back_url
from vestibule.web.templating import page, redirect_to


@dataclass
class FormErrors:
    """What is wrong with a form that was sent."""

    #: HTTP status of the response.
    status: int
    #: Messages by field name.
    errors: dict[str, str] = field(default_factory=dict)
    #: A message about the form as a whole.
    alert: str | None = None
    #: Seconds until the next attempt is allowed.
    retry_after: int | None = None


def missing_fields(names: Iterable[str]) -> dict[str, str]:
    """Return a message for each field of `names` that the form lacks."""
    form = current_request().form
    return {
        name: gettext("Please fill this in.")
        for name in names
        if not form.get(name)
    }


def require_field(problem: FormErrors | None, name: str) -> FormErrors:
    """Return `problem` with the message that field `name` is required."""
    problem = problem or FormErrors(400)
    problem.errors[name] = gettext("Please fill this in.")
    return problem


def check_password_field(
    user: User, password: str
) -> tuple[FormErrors | None, str | None]:
    """Re-authenticate `user` with the form's field `password`.

    The code of an app in `proof_code`, or the answer of a passkey in
    `proof_passkey`, may take its place. Return what is wrong, and the new
    session id if the session was renewed. Both are `None` if the user
    authenticated recently.
    """
    if has_recent_auth():
        return None, None
    if current_request().form.get("proof_passkey"):
        return check_passkey_proof(user)
    code = current_request().form.get("proof_code", "")
    if code and not password:
        return check_code_field(user, code)
    if not user.has_password:
        text = gettext("Confirm with a passkey or an app to continue.")
        return FormErrors(400, alert=text), None
    if not password:
        text = gettext("Enter your password to continue.")
        return FormErrors(400, {"password": text}), None
    try:
        return None, reauthenticate_user(user, password)
    except (WrongPassword, Throttled) as error:
        return password_error(error, "password"), None


def passkey_field(name: str) -> dict[str, Any] | None:
    """Return the answer of an authenticator in a field of the form.

    `None` if there is none, and an empty one if it cannot be read.
    """
    text = current_request().form.get(name)
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def check_passkey_proof(user: User) -> tuple[FormErrors | None, str | None]:
    """Re-authenticate `user` with the form's field `proof_passkey`.

    Return what is wrong, and the new session id.
    """
    answer = passkey_field("proof_passkey") or {}
    try:
        return None, reauthenticate_by_passkey(user, answer)
    except PasskeyRefused as error:
        text = {"proof_passkey": error_message(error)}
        return FormErrors(error.status, text), None


def check_code_field(
    user: User, code: str
) -> tuple[FormErrors | None, str | None]:
    """Re-authenticate `user` with the form's field `proof_code`.

    Return what is wrong, and the new session id if the code is right.
    """
    try:
        return None, reauthenticate_by_code(user, code)
    except (WrongSecondFactor, FactorSwitchedOff, Throttled) as error:
        return code_error(error, "proof_code"), None


def code_error(
    error: WrongSecondFactor | FactorSwitchedOff | Throttled, name: str
) -> FormErrors:
    """Return why the code in the field `name` was refused."""
    text = error_message(error)
    if isinstance(error, Throttled):
        return FormErrors(429, alert=text, retry_after=error.retry_after)
    return FormErrors(error.status, {name: text})


def keep_renewed_session(renewed: str | None) -> None:
    """Set the cookie of a renewed session on this request's response.

    An error page needs this: re-authentication ended the session id that
    the browser has.
    """
    after_this_request(lambda response: set_session_cookie(response, renewed))


def password_error(error: WrongPassword | Throttled, name: str) -> FormErrors:
    """Return why the password in the field `name` was refused."""
    text = error_message(error)
    if isinstance(error, Throttled):
        return FormErrors(429, alert=text, retry_after=error.retry_after)
    return FormErrors(401, {name: text})


def render_form(
    template: str,
    problem: FormErrors | None = None,
    is_reauthenticated: bool = False,
    **values: object,
) -> MinimalResponse:
    """Return the page of a form, with the status and headers of `problem`.

    The form asks for the password, a passkey or the code of an app, unless
    the user authenticated recently or, with `is_reauthenticated`, in this
    request.
    """
    problem = problem or FormErrors(200)
    needs_password = not (is_reauthenticated or has_recent_auth())
    user, kinds = current_request().current_user, set[str]()
    if user is not None and (needs_password or values.get("needs_code")):
        kinds = {one.kind for one in factors.of_user(user.id)}
    response = page(
        template,
        problem.status,
        alert=problem.alert,
        errors=problem.errors,
        has_passkeys=site() is not None,
        needs_password=needs_password,
        may_use_code=needs_password and TOTP in kinds,
        may_use_passkey=PASSKEY in kinds,
        **values,
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        add_challenge(response, current_request().mechanism)
    return response


class Target(NamedTuple):
    """A user or session that an action is about."""

    text: str
    badge: str = ""


class Confirmation(NamedTuple):
    """What a confirmation page asks; the texts are translated already."""

    question: str
    consequence: str
    button: str
    #: The path of the page to go back to if the request names none.
    home: str
    targets: Sequence[Target] = ()
    #: Names and values of further fields.
    hidden: Sequence[tuple[str, str]] = ()
    is_dangerous: bool = True
    #: What was typed as the name of the service; `None` does not ask.
    typed_name: str | None = None
    #: The lifetimes of an invitation to choose from; without any, no choice.
    lifetimes: Sequence[tuple[str, str]] = ()
    valid_hours: str = ""


def confirmation_page(
    asked: Confirmation,
    problem: FormErrors | None = None,
    is_reauthenticated: bool = False,
) -> MinimalResponse:
    """Return the page that asks to confirm an action."""
    return render_form(
        "admin_confirm.html",
        problem,
        is_reauthenticated,
        back=back_url(asked.home),
        **{
            name: value
            for name, value in asked._asdict().items()
            if name != "home"
        },
    )


def go_back(home: str, message: Message | None = None) -> MinimalResponse:
    """Return a redirect to the page that the request names, or `home`."""
    response = redirect_to(back_url(home))
    if message is not None:
        messages.flash(response, message)
    return response


def go_back_without_selection(
    home: str, ids: Sequence[str], gone: Message
) -> MinimalResponse:
    """Return a redirect to a list from which nothing can be changed.

    The message is `gone` if rows were selected that are not there any more.
    """
    return go_back(home, gone if ids else Message.NOTHING_SELECTED)


def user_targets(users: Iterable[User]) -> list[Target]:
    """Return users as targets; the admin's own account is marked."""
    own = current_actor().id
    return [
        Target(
            user.email or user.display_name() or user.id,
            gettext("You") if user.id == own else "",
        )
        for user in users
    ]

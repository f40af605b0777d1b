#!/usr/bin/env python3
"""Signing in and out.

Its law: whatever is wrong with what was typed, the page says the same.
"""

from flask import Response, abort

from api.v1.answers import challenged
from api.v1.entry import (
    begin_session,
    forget_session,
    leave_session,
)
from api.v1.lean import LeanResponse
from api.v1.request import current_request
from models.user import User
from vestibule import settings
from vestibule.accounts.credentials import check_credentials
from vestibule.accounts.first_run import is_pending
from vestibule.errors import Throttled
from vestibule.return_address import PARAMETER
from vestibule.sessions import cookie
from vestibule.web.addresses import ACCOUNT, SETUP, SIGN_IN, SIGNED_OUT
from vestibule.web.blueprint import open_to_all, pages
from vestibule.web.language import gettext
from vestibule.web.rendering import lead_on, page, redirect
from vestibule.web.returning import way_back
from vestibule.web.wording import ending, too_many_attempts

_FIELDS = ("email", "password")


@pages.get(SIGN_IN)
@open_to_all
def show_sign_in() -> Response:
    """Show the form, and why a session ended that is left of before."""
    if current_request().current_user is not None:
        return page("signed_in.html", back=way_back() or ACCOUNT)
    # Nobody could sign in, and who comes first may not know why.
    return redirect(SETUP) if is_pending() else _form(200)


@pages.post(SIGN_IN)
@open_to_all
def sign_in() -> Response:
    """Begin a session of the user whose email and password were typed."""
    request = current_request()
    email, password = (request.form.get(name, "") for name in _FIELDS)
    if missing := {
        name: gettext("Please fill this in.")
        for name in _FIELDS if not request.form.get(name)
    }:
        return _form(400, errors=missing)
    try:
        user = check_credentials(
            User.search({"email": email}), email, password
        )
    except Throttled as error:
        response = _form(429, too_many_attempts(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    entered = None if user is None else let_in(user, way_back())
    return entered or challenged(
        _form(401, gettext("The email or the password is wrong.")),
        request.mechanism,
    )


@pages.post("/sign-out")
@open_to_all
def sign_out() -> Response:
    """End the session, if there still is one, and say goodbye."""
    leave_session(current_request().mechanism)
    response = redirect(SIGNED_OUT)
    forget_session(response)
    return response


@pages.get(SIGNED_OUT)
@open_to_all
def show_signed_out() -> Response:
    """Say that nobody is signed in here any more."""
    if current_request().current_user is not None:
        return redirect("/")
    return page("signed_out.html")


def let_in(user: User, path: str | None = None) -> Response | None:
    """Begin a session of `user`, whose password was checked just now.

    Lead to `path`, else to the account. `None` if what was checked does
    not hold any more.
    """
    request = current_request()
    name = settings.SESSION_NAME.read()
    if name is None:
        abort(500)
    session_id = begin_session(request.mechanism, user)
    if session_id is None:
        return None
    response = redirect(path or ACCOUNT)
    cookie.set_on(response, name, session_id, request.is_secure)
    return response


def _form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
) -> LeanResponse:
    """Return the form with the email that was typed."""
    request, back = current_request(), way_back()
    shown = page(
        "sign_in.html",
        status,
        alert=alert,
        ended=_ended() if status == 200 else None,
        errors=errors or {},
        email=request.form.get("email", ""),
        back=back,
        parameter=PARAMETER,
    )
    return lead_on(shown, back)


def _ended() -> str | None:
    """Return why the session of the cookie ended, if there is a cookie."""
    request = current_request()
    mechanism = request.mechanism
    if mechanism.session_cookie(request) is None:
        return None
    return ending(mechanism.why_refused(request))

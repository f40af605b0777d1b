#!/usr/bin/env python3
"""The pages to sign in and to sign out, and the redirect from `/`.

The sign-in page shows the same message for every wrong email or password,
so it does not reveal which emails are registered.
"""

from flask import Response, abort

from vestibule.accounts.authentication import check_credentials
from vestibule.accounts.first_admin import needs_first_admin
from vestibule.core import settings
from vestibule.core.errors import Throttled
from vestibule.core.redirects import RETURN_PARAMETER, safe_redirect
from vestibule.db.models.user import User
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.login import clear_session_cookie, log_in, log_out
from vestibule.http.request import current_actor, current_request
from vestibule.http.responses import add_challenge
from vestibule.sessions import cookie
from vestibule.web.forms import missing_fields
from vestibule.web.i18n import gettext
from vestibule.web.messages import end_reason_message, throttled_message
from vestibule.web.routes import (
    ACCOUNT,
    SETUP,
    SIGN_IN,
    SIGNED_OUT,
    pages,
    public,
)
from vestibule.web.templating import allow_form_redirect, page, redirect


def return_url() -> str | None:
    """Return the request's `return_to` if it is a safe redirect target."""
    return safe_redirect(
        current_request().values.get(RETURN_PARAMETER),
        settings.ALLOWED_RETURN_HOSTS.read(),
    )


_FIELDS = ("email", "password")


@pages.get(SIGN_IN)
@public
def show_sign_in() -> Response:
    """Show the form, and why the previous session ended."""
    if current_request().current_user is not None:
        return page("signed_in.html", back=return_url() or ACCOUNT)
    # Without users, signing in is impossible.
    return redirect(SETUP) if needs_first_admin() else _form(200)


@pages.post(SIGN_IN)
@public
def sign_in() -> Response:
    """Check email and password, and log the user in."""
    request = current_request()
    email, password = (request.form.get(name, "") for name in _FIELDS)
    if missing := missing_fields(_FIELDS):
        return _form(400, errors=missing)
    try:
        user = check_credentials(
            User.search({"email": email}),
            email,
            password,
            actor=current_actor(),
        )
    except Throttled as error:
        response = _form(429, throttled_message(error.retry_after))
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    entered = None if user is None else log_in_and_redirect(user, return_url())
    return entered or add_challenge(
        _form(401, gettext("The email or the password is wrong.")),
        request.mechanism,
    )


@pages.post("/sign-out")
@public
def sign_out() -> Response:
    """End the session, if it is still live, and clear its cookie."""
    log_out(current_request().mechanism)
    response = redirect(SIGNED_OUT)
    clear_session_cookie(response)
    return response


@pages.get(SIGNED_OUT)
@public
def show_signed_out() -> Response:
    """Confirm that the user is signed out."""
    if current_request().current_user is not None:
        return redirect("/")
    return page("signed_out.html")


def log_in_and_redirect(
    user: User, path: str | None = None
) -> Response | None:
    """Log in `user`, whose password was checked in this request.

    Return a redirect to `path`, by default to the account page. Return
    `None` if the user was disabled or changed the password meanwhile.
    """
    request = current_request()
    name = settings.SESSION_NAME.read()
    if name is None:
        abort(500)
    session_id = log_in(request.mechanism, user)
    if session_id is None:
        return None
    response = redirect(path or ACCOUNT)
    cookie.set_on(response, name, session_id, request.is_secure)
    return response


def _form(
    status: int,
    alert: str | None = None,
    errors: dict[str, str] | None = None,
) -> MinimalResponse:
    """Return the form; the email keeps its value."""
    request, back = current_request(), return_url()
    shown = page(
        "sign_in.html",
        status,
        alert=alert,
        ended=_end_reason() if status == 200 else None,
        errors=errors or {},
        email=request.form.get("email", ""),
        back=back,
        parameter=RETURN_PARAMETER,
    )
    return allow_form_redirect(shown, back)


def _end_reason() -> str | None:
    """Return why the session of the request's cookie ended, if any."""
    request = current_request()
    mechanism = request.mechanism
    if mechanism.session_cookie(request) is None:
        return None
    return end_reason_message(mechanism.why_refused(request))


@pages.get("/")
@public
def redirect_from_root() -> Response:
    """Redirect to the account, to sign in, or to set up."""
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return redirect(SETUP if needs_first_admin() else SIGN_IN)

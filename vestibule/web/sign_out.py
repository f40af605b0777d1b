#!/usr/bin/env python3
"""The pages to sign out, and the redirect of password managers."""

from flask import Response

from vestibule.http.login import clear_session_cookie, log_out
from vestibule.http.request import current_request
from vestibule.web.routes import (
    ACCOUNT,
    SIGN_OUT,
    SIGNED_OUT,
    pages,
    public,
    with_return_url,
)
from vestibule.web.templating import entry_page, redirect


@pages.get(SIGN_OUT)
@public
def confirm_sign_out() -> Response:
    """Ask to confirm: a link, which any site may follow, ends nothing."""
    if current_request().current_user is None:
        return redirect(with_return_url(SIGNED_OUT))
    return entry_page("sign_out.html")


@pages.post(SIGN_OUT)
@public
def sign_out() -> Response:
    """End the session, if it is still live, and clear its cookie."""
    response = redirect(with_return_url(SIGNED_OUT))
    log_out(current_request().mechanism)
    clear_session_cookie(response)
    return response


@pages.get(SIGNED_OUT)
@public
def show_signed_out() -> Response:
    """Confirm that the user is signed out."""
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return entry_page("signed_out.html")


@pages.get("/.well-known/change-password")
@public
def redirect_to_new_password() -> Response:
    """Redirect password managers to the form that changes a password.

    See https://w3c.github.io/webappsec-change-password-url/.
    """
    return redirect(f"{ACCOUNT}#new-password")

#!/usr/bin/env python3
"""The pages that mails lead to, and the one that asks for a mail.

- `/forgot` sends a mail with a link and a code for a new password.
- `/confirm` confirms an email, `/undo` takes a change of it back.

A link has its token in the fragment, which is sent to no server and stands
in no log. Opening it changes nothing, so programs that follow the links of
mails do no harm; the form does. The script puts the token into the form;
without script the user pastes the link into it.
"""

import secrets
from collections.abc import Callable
from typing import Any

from flask import Response, abort

from vestibule.accounts.mail_flows import (
    ask_for_confirmation,
    confirm,
    undo_change,
)
from vestibule.api.views.session_auth import (
    BROWSER_BYTES,
    remember_browser,
    send_reset_mail,
)
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.errors import InvalidValue, Throttled, WrongLink
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import (
    current_actor,
    current_request,
    current_store,
)
from vestibule.mail.notices import is_mail_on
from vestibule.mail.outbox import token_in
from vestibule.web.forms import missing_fields
from vestibule.web.i18n import N_, gettext, language
from vestibule.web.kept_form import form_entries
from vestibule.web.messages import Message, error_message, throttled_message
from vestibule.web.routes import (
    ACCOUNT,
    CONFIRM,
    FORGOT,
    RESET,
    SIGN_IN,
    UNDO,
    pages,
    public,
    with_return_url,
)
from vestibule.web.templating import entry_page, redirect

#: Heading, text and button of the pages whose form takes a link.
_LINK_TEXTS = {
    CONFIRM: (
        N_("Confirm your email"),
        N_("Press the button to confirm that you can read this email."),
        N_("Confirm the email"),
    ),
    UNDO: (
        N_("Undo the change of the email"),
        N_(
            "Press the button to get your previous email back. All devices"
            " are signed out."
        ),
        N_("Restore the email"),
    ),
}


@pages.get(FORGOT)
@public
def show_forgot() -> Response:
    """Show the form that sends a mail; without mail, the one for a code."""
    if not is_mail_on():
        return redirect(with_return_url(RESET))
    return _forgot_form(200)


@pages.post(FORGOT)
@public
def send_forgot_mail() -> Response:
    """Send a mail if there is an account; the page is the same if not."""
    if not is_mail_on():
        return redirect(with_return_url(RESET))
    if missing := missing_fields(("email",)):
        return _forgot_form(400, missing)
    browser = secrets.token_urlsafe(BROWSER_BYTES)
    try:
        send_reset_mail(current_request().form["email"], browser, language())
    except InvalidValue as error:
        return _forgot_form(400, {"email": error_message(error)})
    except Throttled as error:
        response = _forgot_form(
            429, alert=throttled_message(error.retry_after)
        )
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    response = redirect(with_return_url(RESET), Message.RESET_MAIL_SENT)
    remember_browser(response, browser)
    return response


@pages.get(CONFIRM)
@public
def show_confirm() -> Response:
    """Show the form that confirms an email; this changes nothing."""
    return _link_form(200, CONFIRM)


@pages.post(CONFIRM)
@public
def confirm_by_link() -> Response:
    """Confirm the email that the mail with the link went to."""
    return _use_link(
        CONFIRM,
        Message.EMAIL_CONFIRMED,
        lambda token: confirm(token, actor=current_actor()),
    )


@pages.get(UNDO)
@public
def show_undo() -> Response:
    """Show the form that takes a change back; this changes nothing."""
    return _link_form(200, UNDO)


@pages.post(UNDO)
@public
def undo_by_link() -> Response:
    """Give an account its previous email back, and end its sessions."""
    return _use_link(
        UNDO,
        Message.EMAIL_RESTORED,
        lambda token: undo_change(
            token, current_store(), actor=current_actor()
        ),
    )


@pages.post(f"{ACCOUNT}/confirmation")
def send_own_confirmation() -> Response:
    """Send the mail again that confirms the email of the user."""
    if not is_mail_on():
        abort(404)
    user = current_mechanism_and_user()[1]
    ask_for_confirmation(user, actor=current_actor(), language=language())
    return redirect(ACCOUNT, Message.CONFIRMATION_SENT)


@pages.post(f"{ACCOUNT}/notices")
def set_own_notices() -> Response:
    """Choose whether a sign-in with a new device is told by mail."""
    if not is_mail_on():
        abort(404)
    user = current_mechanism_and_user()[1]
    user.device_notices = current_request().form.get("device_notices") == "on"
    user.save_changes()
    return redirect(ACCOUNT, Message.NOTICES_SAVED)


def _use_link(page: str, done: Message, use: Callable[[str], Any]) -> Response:
    """Use the token of the form up, and redirect to the next page."""
    if not is_mail_on():
        abort(404)
    if missing := missing_fields(("token",)):
        return _link_form(400, page, missing)
    try:
        use(token_in(current_request().form["token"]))
    except (WrongLink, InvalidValue) as error:
        return _link_form(error.status, page, {"token": error_message(error)})
    is_signed_in = current_request().current_user is not None
    # A change that was taken back has ended the session.
    return redirect(
        ACCOUNT if is_signed_in and page == CONFIRM else SIGN_IN, done
    )


def _link_form(
    status: int, page: str, errors: dict[str, str] | None = None
) -> MinimalResponse:
    """Return the form that takes the link of a mail."""
    if not is_mail_on():
        abort(404)
    heading, text, button = map(gettext, _LINK_TEXTS[page])
    return entry_page(
        "mail_link.html",
        status,
        heading=heading,
        text=text,
        button=button,
        errors=errors or {},
        token=form_entries().get("token", ""),
    )


def _forgot_form(
    status: int,
    errors: dict[str, str] | None = None,
    alert: str | None = None,
) -> MinimalResponse:
    """Return the form that asks for a mail."""
    return entry_page(
        "forgot.html",
        status,
        alert=alert,
        errors=errors or {},
        email=form_entries().get("email", ""),
    )

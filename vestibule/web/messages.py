#!/usr/bin/env python3
"""The sentences that pages show: errors, ended sessions, waits, results.

A page shows a text of the catalogue, looked up by an error's code, and
never the text of the error itself, which is written for programs.

The result of an action is shown once, on the page after a redirect. Its
cookie holds the name of one of the messages below and no text, so a forged
cookie cannot put words on a page.
"""

import math
from datetime import timedelta
from enum import StrEnum
from typing import Any

from babel.numbers import format_decimal
from babel.units import format_unit

from vestibule.core.errors import InvalidValue, Throttled, VestibuleError
from vestibule.http.csrf import CrossSiteRequest
from vestibule.http.request import VestibuleRequest, current_request
from vestibule.sessions import cookie
from vestibule.web.i18n import N_, gettext, language

#: The messages by the codes of errors; %(...)s are the error's details.
ERROR_MESSAGES = {
    "too_short": N_("Please use at least %(number)s characters."),
    "common_password": N_("This password is too common."),
    "common_words": N_(
        "This is made of common words. Add something that only you would"
        " think of."
    ),
    "account_word": N_(
        "This is too close to your email or to the name of the service."
    ),
    "breached_password": N_(
        "This password is in a list of stolen ones. Choose another."
    ),
    "unchanged": N_("This is the password that you have now."),
    "taken": N_("This email already has an account."),
    "invalid_email": N_("This is not an email address."),
    "required": N_("Please fill this in."),
    "invalid_character": N_("This contains a character that isn't allowed."),
    "too_long": N_("This is too long."),
    "invalid": N_("This isn't a valid value."),
    "unreadable_header": N_(
        "The header %(name)s of the request is empty, malformed or has"
        " characters that the service cannot read. If it is Cookie, a cookie"
        " of this site has such a character: delete the site's cookies in"
        " the browser. For other headers, ask the administrator to look at"
        " the proxy."
    ),
    "wrong_password": N_("This is not your password."),
    "wrong_reset_code": N_(
        "The code does not match this email, was already used, or has"
        " expired. Your administrator can give you a new one."
    ),
    "wrong_link": N_(
        "This link is wrong, was already used, or has expired. Ask for a new"
        " email."
    ),
    "email_not_confirmed": N_(
        "Confirm your address first: open the link in the email that was"
        " sent to you."
    ),
    "second_factor_required": N_("Sign in with your second factor."),
    "wrong_second_factor": N_(
        "This code is wrong, or was already used. Wait for the next code of"
        " the app, and check the time of your phone."
    ),
    "wrong_factor_reset_code": N_(
        "The code does not match this account, was already used, or has"
        " expired. Your administrator can give you a new one."
    ),
    "factor_reset_refused": N_(
        "This needs a session in which you gave your own second factor, and"
        " the account of another user."
    ),
    "factor_switched_off": N_(
        "This was switched off after too many wrong codes. Use another app"
        " or a recovery code, or ask your administrator."
    ),
    "too_many_to_sort": N_(
        "More than %(most)s sessions match. To sort them by last use, filter"
        " by user or IP address."
    ),
    "factor_required": N_(
        "Your account needs a second factor. Set one up to go on."
    ),
    "last_factor": N_(
        "Your account needs a second factor. Add another app before you"
        " remove this one."
    ),
    "too_many": N_("You have the maximum number of apps. Remove one first."),
    "too_many_passkeys": N_(
        "You have the maximum number of passkeys. Remove one first."
    ),
    "passkey_refused": N_(
        "This passkey was refused, or that took too long. Try again."
    ),
    "unknown_passkey": N_(
        "This passkey is not known here. It may have been removed."
    ),
    "last_passkey": N_(
        "This is your last passkey, and you have no password. Add another"
        " passkey first, or set a password."
    ),
    "passkeys_needed": N_(
        "To remove the password you need two passkeys, or one and recovery"
        " codes."
    ),
    "login_expired": N_("That took too long. Please sign in again."),
    "wrong_setup_code": N_("This code is wrong or has expired."),
    "reauthentication_required": N_(
        "Please confirm your password, and try again."
    ),
    "account_changed": N_(
        "You are signed in with another account now. Nothing was changed."
    ),
    "last_admin": N_(
        "This is the last administrator. Make another user an administrator"
        " first."
    ),
    "gone": N_("This was deleted in the meantime."),
    "throttled": N_(
        "Too many attempts failed. You can try again in %(time)s."
    ),
}
#: Characters of a browser's `Origin` that a page shows.
MAX_ORIGIN_SHOWN = 100
_HIDDEN_ORIGIN = N_(
    "The browser does not say which site the form comes from (Origin: null)."
    " A privacy setting, an extension or a frame around the page is in the"
    " way. Open the page directly, in a current browser, and try again."
)
_OTHER_ORIGIN = N_(
    "The browser says that the form comes from %(origin)s, but the service"
    " was reached as %(host)s. If you did not come from another site, a"
    " proxy changes the address on the way: ask the administrator to name it"
    " in TRUSTED_PROXIES and to let it send X-Forwarded-Host."
)


def error_message(error: VestibuleError) -> str:
    """Return the sentence for an error whose status is below 500."""
    if isinstance(error, Throttled):
        return throttled_message(error.retry_after)
    text = gettext(ERROR_MESSAGES[error.code])
    if not isinstance(error, InvalidValue):
        return text
    return text % {
        name: format_decimal(value, locale=language())
        if isinstance(value, int)
        else value
        for name, value in error.details.items()
    }


def cross_site_message(error: CrossSiteRequest) -> str | None:
    """Return the sentence that names what differs; `None` if unknown."""
    if error.origin is None:
        return None
    if error.origin == "null":
        return gettext(_HIDDEN_ORIGIN)
    return gettext(_OTHER_ORIGIN) % {
        "origin": error.origin[:MAX_ORIGIN_SHOWN],
        "host": " ".join(error.hosts) or "-",
    }


def throttled_message(wait: int) -> str:
    """Return the sentence that asks to wait `wait` seconds after failures."""
    text = ERROR_MESSAGES[Throttled.code]
    return gettext(text) % {"time": format_duration(wait, language())}


def format_duration(seconds: int, code: str) -> str:
    """Return a time in words: "8 seconds", "2 minutes".

    `code` is the language. Minutes are rounded up, so that a user does
    not come back too early.
    """
    if seconds <= 90:
        return format_unit(seconds, "duration-second", "long", locale=code)
    minutes = math.ceil(timedelta(seconds=seconds) / timedelta(minutes=1))
    return format_unit(minutes, "duration-minute", "long", locale=code)


COOKIE = "vestibule_notice"


class Message(StrEnum):
    """The messages; the values are those of the cookie."""

    PASSWORD_RESET = "password_reset"
    PASSWORD_SET = "password_set"
    SETUP_IS_DONE = "setup_is_done"
    KEPT = "kept"
    NOT_SAVED = "not_saved"
    SESSION_ENDED = "session_ended"
    SESSION_GONE = "session_gone"
    SESSIONS_GONE = "sessions_gone"
    NOT_ME = "not_me"
    OTHERS_ENDED = "others_ended"
    NO_OTHERS = "no_others"
    NAME_CHANGED = "name_changed"
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"
    ACCOUNT_DELETED = "account_deleted"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    USER_DELETED = "user_deleted"
    USER_GONE = "user_gone"
    INVITATION_REVOKED = "invitation_revoked"
    INVITATION_GONE = "invitation_gone"
    ROLE_CHANGED = "role_changed"
    USER_UNLOCKED = "user_unlocked"
    SESSIONS_ENDED = "sessions_ended"
    USER_CHANGED = "user_changed"
    SELECTED_DONE = "selected_done"
    SELECTED_PARTLY = "selected_partly"
    NOTHING_SELECTED = "nothing_selected"
    SELECTION_GONE = "selection_gone"
    RESET_MAIL_SENT = "reset_mail_sent"
    EMAIL_CONFIRMED = "email_confirmed"
    EMAIL_RESTORED = "email_restored"
    CONFIRM_FIRST = "confirm_first"
    CONFIRMATION_SENT = "confirmation_sent"
    CHANGE_SENT = "change_sent"
    NOTICES_SAVED = "notices_saved"
    LOGIN_EXPIRED = "login_expired"
    PASSWORD_MAIL_SENT = "password_mail_sent"
    PASSWORD_MAIL_NOT_SENT = "password_mail_not_sent"
    MAILS_QUEUED = "mails_queued"
    MAILS_DROPPED = "mails_dropped"
    MAILS_PARTLY = "mails_partly"
    MAILS_UNCHANGED = "mails_unchanged"
    RECOVERED = "recovered"
    UNTRUSTED = "untrusted"
    FACTORS_RESET = "factors_reset"
    FACTOR_REQUIRED = "factor_required"
    APP_ADDED = "app_added"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PASSWORD_REMOVED = "password_removed"
    APP_REMOVED = "app_removed"
    FACTOR_RENAMED = "factor_renamed"
    APP_NOT_PENDING = "app_not_pending"
    APP_GONE = "app_gone"


_TEXTS = {
    Message.PASSWORD_RESET: N_("Your password was set. Sign in with it now."),
    Message.PASSWORD_SET: N_("Your password is set. You are signed in."),
    Message.SETUP_IS_DONE: N_(
        "The setup is already done. Sign in, or ask the administrator."
    ),
    Message.KEPT: N_(
        "You were signed out, so nothing was saved yet. Sign in to get back"
        " to your entries."
    ),
    Message.NOT_SAVED: N_(
        "You were signed out, so nothing was saved. Sign in and try again."
    ),
    Message.SESSION_ENDED: N_("The session was signed out."),
    Message.SESSION_GONE: N_("That session had already ended."),
    Message.SESSIONS_GONE: N_("Those sessions had already ended."),
    Message.NOT_ME: N_(
        "That session is signed out. Choose a new password now, so that no"
        " one can sign in with the old one."
    ),
    Message.OTHERS_ENDED: N_("You were signed out everywhere else."),
    Message.NO_OTHERS: N_("There was no other session to sign out."),
    Message.NAME_CHANGED: N_("Your name was saved."),
    Message.EMAIL_CHANGED: N_(
        "Your email was saved. You sign in with it from now on."
    ),
    Message.PASSWORD_CHANGED: N_(
        "Your password was changed, and you were signed out everywhere else."
    ),
    Message.ACCOUNT_DELETED: N_("Your account was deleted."),
    Message.USER_DISABLED: N_("The user was disabled and signed out."),
    Message.USER_ENABLED: N_("The user can sign in again."),
    Message.USER_DELETED: N_("The user was deleted."),
    Message.USER_GONE: N_("This user was already deleted."),
    Message.INVITATION_REVOKED: N_("The invitation was revoked."),
    Message.INVITATION_GONE: N_("This invitation is no longer open."),
    Message.ROLE_CHANGED: N_("The role was changed."),
    Message.USER_UNLOCKED: N_("Sign-in was unblocked for this user."),
    Message.SESSIONS_ENDED: N_("The sessions were signed out."),
    Message.USER_CHANGED: N_("The user was changed."),
    Message.SELECTED_DONE: N_("Done for all selected users."),
    Message.SELECTED_PARTLY: N_(
        "Done, but not for all selected users: the last administrator"
        " stays, and some users may have been deleted."
    ),
    Message.NOTHING_SELECTED: N_("Select at least one row first."),
    Message.SELECTION_GONE: N_(
        "What you selected was deleted in the meantime."
    ),
    Message.RESET_MAIL_SENT: N_(
        "If this address has an account, an email is on its way. Open its"
        " link, or enter its code here within 10 minutes."
    ),
    Message.EMAIL_CONFIRMED: N_("Your email is confirmed."),
    Message.EMAIL_RESTORED: N_(
        "Your previous email is back, and every device was signed out. Set a"
        " new password now: choose \u201cForgot your password?\u201d."
    ),
    Message.CONFIRM_FIRST: N_(
        "Your account was created. Open the link in the email that was sent"
        " to you, then sign in."
    ),
    Message.CONFIRMATION_SENT: N_(
        "An email with a link to confirm your address is on its way."
    ),
    Message.CHANGE_SENT: N_(
        "An email is on its way to the new address. Your account keeps the"
        " current one until you open the link."
    ),
    Message.NOTICES_SAVED: N_("Your choice was saved."),
    Message.LOGIN_EXPIRED: N_("That took too long. Please sign in again."),
    Message.PASSWORD_MAIL_SENT: N_("An email to this user is on its way."),
    Message.PASSWORD_MAIL_NOT_SENT: N_(
        "No email was sent: this address has had too many lately, or the"
        " user cannot use it. Try again later."
    ),
    Message.MAILS_QUEUED: N_("The emails will be sent soon."),
    Message.MAILS_DROPPED: N_("The emails will not be sent."),
    Message.MAILS_PARTLY: N_(
        "Done, but not for all selected emails: some were sent, dropped or"
        " too old."
    ),
    Message.MAILS_UNCHANGED: N_(
        "Nothing was changed: these emails were sent, dropped or too old."
    ),
    Message.RECOVERED: N_(
        "You signed in with a recovery code, so only this page is open."
    ),
    Message.UNTRUSTED: N_("That browser is asked for the code again."),
    Message.FACTORS_RESET: N_(
        "Your second factors were removed. Set up an app on your new phone."
    ),
    Message.FACTOR_REQUIRED: N_(
        "Your account needs a second factor. Set one up to go on."
    ),
    Message.APP_ADDED: N_("The app was added."),
    Message.APP_REMOVED: N_("The app was removed."),
    Message.FACTOR_RENAMED: N_("The name was saved."),
    Message.PASSKEY_ADDED: N_("The passkey was added."),
    Message.PASSKEY_REMOVED: N_("The passkey was removed."),
    Message.PASSWORD_REMOVED: N_(
        "The password was removed. You sign in with a passkey from now on."
    ),
    Message.APP_NOT_PENDING: N_(
        "This app is no longer waiting for its first code. Add it again."
    ),
    Message.APP_GONE: N_("This app was already removed."),
}


def flash(response: Any, message: Message) -> None:
    """Set the cookie that makes the next page show `message`."""
    request = current_request()
    cookie.set_local(
        response, COOKIE, message.value, request.is_secure, _path(request)
    )


def flashed_message() -> str | None:
    """Return the text of the request's flash message, if it has one."""
    name = current_request().cookies.get(COOKIE)
    if name not in list(Message):
        return None
    return gettext(_TEXTS[Message(name)])


def clear_flash(response: Any) -> None:
    """Delete the cookie, so that the message is not shown again."""
    request = current_request()
    cookie.clear_local(response, COOKIE, request.is_secure, _path(request))


def _path(request: VestibuleRequest) -> str:
    """Return the path of the cookie: that of the pages."""
    return request.base_path or "/"

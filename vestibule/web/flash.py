#!/usr/bin/env python3
"""Flash messages: shown once, on the page after a redirect.

The cookie holds the name of one of the messages below and no text, so a
forged cookie cannot put words on a page.
"""

from enum import StrEnum
from typing import Any

from vestibule.http.request import VestibuleRequest, current_request
from vestibule.sessions import cookie
from vestibule.web.i18n import N_, gettext

COOKIE = "vestibule_notice"


class Message(StrEnum):
    """The messages; the values are those of the cookie."""

    PASSWORD_RESET = "password_reset"
    SETUP_IS_DONE = "setup_is_done"
    NOT_SAVED = "not_saved"
    SESSION_ENDED = "session_ended"
    SESSION_GONE = "session_gone"
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
    ROLE_CHANGED = "role_changed"
    USER_UNLOCKED = "user_unlocked"
    SESSIONS_ENDED = "sessions_ended"


_TEXTS = {
    Message.PASSWORD_RESET: N_("Your password was set. Sign in with it now."),
    Message.SETUP_IS_DONE: N_(
        "The setup is already done. Sign in, or ask the administrator."
    ),
    Message.NOT_SAVED: N_(
        "You were no longer signed in, so nothing was saved. Sign in, and"
        " enter it again."
    ),
    Message.SESSION_ENDED: N_("The session was ended."),
    Message.SESSION_GONE: N_("That session had already ended."),
    Message.OTHERS_ENDED: N_("You were signed out everywhere else."),
    Message.NO_OTHERS: N_("There was no other session to end."),
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
    Message.ROLE_CHANGED: N_("The role was changed."),
    Message.USER_UNLOCKED: N_("Sign-in was unlocked for this user."),
    Message.SESSIONS_ENDED: N_("The sessions were ended."),
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

#!/usr/bin/env python3
"""What a page tells once, after the browser was sent on to it.

Its law: a cookie names one of the texts below and carries none itself,
so that nobody puts words into the service's mouth.
"""

from enum import StrEnum
from typing import Any

from api.v1.request import current_request
from vestibule.sessions import cookie
from vestibule.web.language import gettext, marked

COOKIE = "vestibule_notice"


class Notice(StrEnum):
    """The texts, by the names that the cookie has for them."""

    PASSWORD_RESET = "password_reset"
    SET_UP_BEFORE = "set_up_before"
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
    Notice.PASSWORD_RESET: marked(
        "Your password is set. Sign in with it now."
    ),
    Notice.SET_UP_BEFORE: marked(
        "Somebody has set this up already. Sign in, or ask them."
    ),
    Notice.SESSION_ENDED: marked("The session is ended."),
    Notice.SESSION_GONE: marked("That session had ended already."),
    Notice.OTHERS_ENDED: marked(
        "You are signed out everywhere but here."
    ),
    Notice.NO_OTHERS: marked("There was no other session to end."),
    Notice.NAME_CHANGED: marked("Your name is saved."),
    Notice.EMAIL_CHANGED: marked(
        "Your email is saved. You sign in with it from now on."
    ),
    Notice.PASSWORD_CHANGED: marked(
        "Your password is changed, and you are signed out everywhere else."
    ),
    Notice.ACCOUNT_DELETED: marked("Your account is deleted."),
    Notice.USER_DISABLED: marked("The user is disabled and signed out."),
    Notice.USER_ENABLED: marked("The user may sign in again."),
    Notice.USER_DELETED: marked("The user is deleted."),
    Notice.USER_GONE: marked("Somebody has deleted that user already."),
    Notice.ROLE_CHANGED: marked("The role is changed."),
    Notice.USER_UNLOCKED: marked("Nobody has to wait for this user now."),
    Notice.SESSIONS_ENDED: marked("The sessions are ended."),
}


def tell(response: Any, notice: Notice) -> None:
    """Have the next page show `notice`."""
    cookie.set_on(
        response, COOKIE, notice.value, current_request().is_secure
    )


def told() -> str | None:
    """Return the text of the notice that waits, if there is one."""
    name = current_request().cookies.get(COOKIE)
    if name not in list(Notice):
        return None
    return gettext(_TEXTS[Notice(name)])


def forget(response: Any) -> None:
    """Show no notice again."""
    cookie.clear_on(response, COOKIE, current_request().is_secure)

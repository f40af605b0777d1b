#!/usr/bin/env python3
"""What the rest of the service says in its own terms, said to people.

Its law: a page shows a sentence of the catalogue, and never the text of
an error as programs read it.
"""

import math
import re
from datetime import timedelta

from babel.units import format_unit

from vestibule.errors import InvalidValue
from vestibule.sessions.reasons import Reason
from vestibule.web.language import gettext, language, marked

#: Why a value was refused, by what the error says; a number is `number`.
_REFUSALS = {
    r"must have at least (?P<number>\d+) characters": marked(
        "Please use at least %(number)s characters."
    ),
    "is one of the most common ones": marked(
        "This password is among the first that anybody would try."
    ),
    "is common words put together": marked(
        "This is made of common words. Add something that only you would"
        " think of."
    ),
    "is a word of this account or service": marked(
        "This is too close to your email or to the name of the service."
    ),
    "is in a list of stolen ones": marked(
        "This password is in a list of stolen ones. Choose another."
    ),
    "is the present one": marked("This is the password that you have now."),
    "is already registered": marked("This email already has an account."),
    "is not an email address": marked("This is not an email address."),
    "must not be empty": marked("Please fill this in."),
    "contains a character that no text has": marked(
        "This has a character that no text has."
    ),
    "is too long to be stored": marked("This is too long."),
    "is not valid Unicode": marked("This has a character that no text has."),
}
_ANY_REFUSAL = marked("This cannot be taken.")

#: Why a session ended, to who holds what is left of it.
_ENDINGS: dict[Reason | None, str] = {
    Reason.EXPIRED: marked(
        "Your session has run out. Please sign in again."
    ),
    Reason.IDLE_TIMEOUT: marked(
        "You were away for a while, so you were signed out."
    ),
    Reason.CLOCK_CHANGED: marked(
        "The server's clock was changed, which ended your session."
    ),
    Reason.LOGGED_OUT: marked("You have signed out."),
    Reason.REPLACED: marked(
        "You signed in anew in this browser, which ended this session."
    ),
    Reason.ROTATED: marked(
        "This session was renewed elsewhere. Please sign in again."
    ),
    Reason.TOO_MANY_SESSIONS: marked(
        "You signed in on too many devices, which ended this session."
    ),
    Reason.REVOKED: marked("You ended this session from another device."),
    Reason.REVOKED_BY_ADMIN: marked(
        "An administrator ended this session."
    ),
    Reason.PASSWORD_CHANGED: marked(
        "Your password was changed, which ended this session. Sign in with"
        " the new one."
    ),
    Reason.PASSWORD_RESET: marked(
        "Your password was reset, which ended this session. Sign in with"
        " the new one."
    ),
    Reason.USER_DISABLED: marked(
        "Your account is disabled. Your administrator can tell you more."
    ),
    Reason.USER_REMOVED: marked("This account is not there any more."),
}
_ANY_ENDING = marked("Your session has ended. Please sign in again.")


def said(error: InvalidValue) -> str:
    """Return why a value was refused, as a sentence for its field."""
    for pattern, text in _REFUSALS.items():
        if found := re.fullmatch(pattern, error.why):
            return gettext(text) % found.groupdict()
    return gettext(_ANY_REFUSAL)


def ending(reason: Reason | None) -> str:
    """Return why a session is not live any more, as a sentence."""
    return gettext(_ENDINGS.get(reason, _ANY_ENDING))


def too_many_attempts(wait: int) -> str:
    """Return that one has to wait so many seconds after failures."""
    return gettext(
        "Too many attempts failed. You can try again in %(time)s."
    ) % {"time": lasting(wait, language())}


def lasting(seconds: int, code: str) -> str:
    """Return how long so many seconds are: "8 seconds", "2 minutes".

    Minutes are rounded up: nobody should come back too early.
    """
    if seconds <= 90:
        return format_unit(seconds, "duration-second", "long", locale=code)
    minutes = math.ceil(timedelta(seconds=seconds) / timedelta(minutes=1))
    return format_unit(minutes, "duration-minute", "long", locale=code)

#!/usr/bin/env python3
"""What the rest of the service says in its own terms, said to people.

Its law: a page shows a sentence of the catalogue, and never the text of
an error as programs read it.
"""

import math
import re
from datetime import timedelta

from babel.units import format_unit

from vestibule.core.errors import InvalidValue
from vestibule.sessions.session import EndReason
from vestibule.web.i18n import N_, gettext, language

#: Why a value was refused, by what the error says; a number is `number`.
_REFUSALS = {
    r"must have at least (?P<number>\d+) characters": N_(
        "Please use at least %(number)s characters."
    ),
    "is one of the most common ones": N_(
        "This password is among the first that anybody would try."
    ),
    "is common words put together": N_(
        "This is made of common words. Add something that only you would"
        " think of."
    ),
    "is a word of this account or service": N_(
        "This is too close to your email or to the name of the service."
    ),
    "is in a list of stolen ones": N_(
        "This password is in a list of stolen ones. Choose another."
    ),
    "is the present one": N_("This is the password that you have now."),
    "is already registered": N_("This email already has an account."),
    "is not an email address": N_("This is not an email address."),
    "must not be empty": N_("Please fill this in."),
    "contains a character that no text has": N_(
        "This has a character that no text has."
    ),
    "is too long to be stored": N_("This is too long."),
    "is not valid Unicode": N_("This has a character that no text has."),
}
_ANY_REFUSAL = N_("This cannot be taken.")

#: Why a session ended, to who holds what is left of it.
_ENDINGS: dict[EndReason | None, str] = {
    EndReason.EXPIRED: N_("Your session has run out. Please sign in again."),
    EndReason.IDLE_TIMEOUT: N_(
        "You were away for a while, so you were signed out."
    ),
    EndReason.CLOCK_CHANGED: N_(
        "The server's clock was changed, which ended your session."
    ),
    EndReason.LOGGED_OUT: N_("You have signed out."),
    EndReason.REPLACED: N_(
        "You signed in anew in this browser, which ended this session."
    ),
    EndReason.ROTATED: N_(
        "This session was renewed elsewhere. Please sign in again."
    ),
    EndReason.TOO_MANY_SESSIONS: N_(
        "You signed in on too many devices, which ended this session."
    ),
    EndReason.REVOKED: N_("You ended this session from another device."),
    EndReason.REVOKED_BY_ADMIN: N_("An administrator ended this session."),
    EndReason.PASSWORD_CHANGED: N_(
        "Your password was changed, which ended this session. Sign in with"
        " the new one."
    ),
    EndReason.PASSWORD_RESET: N_(
        "Your password was reset, which ended this session. Sign in with"
        " the new one."
    ),
    EndReason.USER_DISABLED: N_(
        "Your account is disabled. Your administrator can tell you more."
    ),
    EndReason.USER_REMOVED: N_("This account is not there any more."),
}
_ANY_ENDING = N_("Your session has ended. Please sign in again.")


def error_message(error: InvalidValue) -> str:
    """Return why a value was refused, as a sentence for its field."""
    for pattern, text in _REFUSALS.items():
        if found := re.fullmatch(pattern, error.why):
            return gettext(text) % found.groupdict()
    return gettext(_ANY_REFUSAL)


def end_reason_message(reason: EndReason | None) -> str:
    """Return why a session is not live any more, as a sentence."""
    return gettext(_ENDINGS.get(reason, _ANY_ENDING))


def throttled_message(wait: int) -> str:
    """Return that one has to wait so many seconds after failures."""
    return gettext(
        "Too many attempts failed. You can try again in %(time)s."
    ) % {"time": format_duration(wait, language())}


def format_duration(seconds: int, code: str) -> str:
    """Return how long so many seconds are: "8 seconds", "2 minutes".

    Minutes are rounded up: nobody should come back too early.
    """
    if seconds <= 90:
        return format_unit(seconds, "duration-second", "long", locale=code)
    minutes = math.ceil(timedelta(seconds=seconds) / timedelta(minutes=1))
    return format_unit(minutes, "duration-minute", "long", locale=code)

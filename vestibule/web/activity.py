#!/usr/bin/env python3
"""My activity: logins, failures and changes of an account, in words."""

import re

from flask import Response

from api.v1.request import current_request
from api.v1.views.sessions import asking
from models.events import Happening, Wanted
from models.events import page as page_of
from vestibule import settings
from vestibule.observe.security import Event
from vestibule.web.addresses import ACTIVITY
from vestibule.web.blueprint import pages
from vestibule.web.devices import device
from vestibule.web.language import gettext, marked, ngettext
from vestibule.web.rendering import page

#: Events on a page.
MOST = 25
_NUMBER = re.compile(r"[0-9]{1,18}")
#: What people should look at twice.
ALARMING = frozenset({Event.LOGIN_FAILED, Event.THROTTLED})

#: What happened: by the user, or by whoever has no account.
_TEXTS: dict[str, str] = {
    Event.LOGIN: marked("Signed in"),
    Event.LOGIN_FAILED: marked("A wrong password was entered"),
    Event.THROTTLED: marked("Too many attempts: somebody had to wait"),
    Event.REAUTHENTICATED: marked("Password confirmed"),
    Event.LOGOUT: marked("Signed out"),
    Event.SESSION_REVOKED: marked("A session was ended"),
    Event.SESSIONS_REVOKED: marked("Sessions were ended"),
    Event.USER_ADDED: marked("The account was made"),
    Event.USER_REMOVED: marked("The account was deleted"),
    Event.USER_DISABLED: marked("The account was disabled"),
    Event.USER_ENABLED: marked("The account was enabled again"),
    Event.ROLE_CHANGED: marked("The role was changed"),
    Event.EMAIL_CHANGED: marked("The email was changed"),
    Event.PASSWORD_CHANGED: marked("The password was changed"),
    Event.USER_UNLOCKED: marked(
        "The wait after failed attempts was lifted"
    ),
    Event.RESET_CODE_ISSUED: marked(
        "A code for a new password was handed out"
    ),
    Event.PASSWORD_RESET: marked("A new password was set by a code"),
    Event.SESSION_REFUSED: marked("A session that had ended was refused"),
    Event.CROSS_SITE_REFUSED: marked(
        "A request from another site was refused"
    ),
}


@pages.get(ACTIVITY)
def show_activity() -> Response:
    """Show what happened to the account, newest first."""
    _, user = asking()
    asked = current_request().args.get("before", "")
    before = int(asked) if _NUMBER.fullmatch(asked) else None
    found = page_of(Wanted(user_id=user.id), MOST, before)
    return page(
        "activity.html",
        happenings=found.happenings,
        next=found.next,
        is_first=before is None,
        kept=settings.EVENTS_KEPT.read(),
        told=told,
        device=device,
        alarming=ALARMING,
    )


def called(kind: str) -> str:
    """Return in words what a kind of event is."""
    text = _TEXTS.get(kind)
    return kind if text is None else gettext(text)


def told(one: Happening) -> str:
    """Return in words what happened."""
    if one.kind == Event.SESSIONS_REVOKED:
        number = one.count or 0
        return ngettext(
            "%(number)s session was ended", "%(number)s sessions were ended",
            number,
        ) % {"number": number}
    return called(one.kind)

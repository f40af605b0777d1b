#!/usr/bin/env python3
"""Programs and systems in words: "Firefox on Linux", in the language.

Its law: it says what `vestibule.sessions.device` recognized, no more.

My activity: logins, failures and changes of an account, in words.
"""

import re

from flask import Response

from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.audit.log import EventType
from vestibule.core import settings
from vestibule.db.events import Event, EventFilter
from vestibule.db.events import fetch_page as page_of
from vestibule.http.request import current_request
from vestibule.sessions.device import parse_user_agent
from vestibule.web.i18n import N_, gettext, ngettext
from vestibule.web.routes import ACTIVITY, pages
from vestibule.web.templating import page

#: Programs that are no names.
_WORDS = {"an Android app": N_("Android app")}


def device_label(user_agent: str | None) -> str:
    """Return in words what a user agent tells."""
    program, system = parse_user_agent(user_agent)
    if program is None:
        program = gettext("Unknown program")
    elif program in _WORDS:
        program = gettext(_WORDS[program])
    if system is None:
        return program
    return gettext("%(program)s on %(system)s") % {
        "program": program,
        "system": system,
    }


#: Events on a page.
MAX_EVENTS_SHOWN = 25
_NUMBER = re.compile(r"[0-9]{1,18}")
#: What people should look at twice.
ALARMING = frozenset({EventType.LOGIN_FAILED, EventType.THROTTLED})

#: What happened: by the user, or by whoever has no account.
_TEXTS: dict[str, str] = {
    EventType.LOGIN: N_("Signed in"),
    EventType.LOGIN_FAILED: N_("A wrong password was entered"),
    EventType.THROTTLED: N_("Too many attempts: somebody had to wait"),
    EventType.REAUTHENTICATED: N_("Password confirmed"),
    EventType.LOGOUT: N_("Signed out"),
    EventType.SESSION_REVOKED: N_("A session was ended"),
    EventType.SESSIONS_REVOKED: N_("Sessions were ended"),
    EventType.USER_ADDED: N_("The account was made"),
    EventType.USER_REMOVED: N_("The account was deleted"),
    EventType.USER_DISABLED: N_("The account was disabled"),
    EventType.USER_ENABLED: N_("The account was enabled again"),
    EventType.ROLE_CHANGED: N_("The role was changed"),
    EventType.EMAIL_CHANGED: N_("The email was changed"),
    EventType.PASSWORD_CHANGED: N_("The password was changed"),
    EventType.USER_UNLOCKED: N_("The wait after failed attempts was lifted"),
    EventType.RESET_CODE_ISSUED: N_(
        "A code for a new password was handed out"
    ),
    EventType.PASSWORD_RESET: N_("A new password was set by a code"),
    EventType.WORKER_EXITED: N_("A worker process ended unexpectedly"),
    EventType.SESSION_REFUSED: N_("A session that had ended was refused"),
    EventType.CROSS_SITE_REFUSED: N_(
        "A request from another site was refused"
    ),
}


@pages.get(ACTIVITY)
def show_activity() -> Response:
    """Show what happened to the account, newest first."""
    _, user = current_mechanism_and_user()
    asked = current_request().args.get("before", "")
    before = int(asked) if _NUMBER.fullmatch(asked) else None
    found = page_of(EventFilter(user_id=user.id), MAX_EVENTS_SHOWN, before)
    return page(
        "activity.html",
        happenings=found.events,
        next=found.next,
        is_first=before is None,
        kept=settings.EVENTS_KEPT.read(),
        told=describe_event,
        device=device_label,
        alarming=ALARMING,
    )


def event_label(kind: str) -> str:
    """Return in words what a kind of event is."""
    text = _TEXTS.get(kind)
    return kind if text is None else gettext(text)


def describe_event(one: Event) -> str:
    """Return in words what happened."""
    if one.kind == EventType.SESSIONS_REVOKED:
        number = one.count or 0
        return ngettext(
            "%(number)s session was ended",
            "%(number)s sessions were ended",
            number,
        ) % {"number": number}
    return event_label(one.kind)

#!/usr/bin/env python3
"""The user's activity page, and the labels of events and devices.

The admin pages use the same labels.
"""

import re
from collections.abc import Iterable

from babel.lists import format_list
from flask import Response

from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.audit.log import EventType
from vestibule.core import settings
from vestibule.core.client_info import parse_user_agent
from vestibule.db.events import Event, EventFilter
from vestibule.db.events import fetch_page as find_events
from vestibule.db.factors import PASSKEY, TOTP
from vestibule.db.models.user import User
from vestibule.http.request import current_request
from vestibule.mechanisms.session_mechanism import SessionMechanism
from vestibule.sessions.facts import (
    PasskeyProof,
    PasswordProof,
    TotpProof,
    TrustedBrowserProof,
    facts_of_session,
    level_of,
)
from vestibule.sessions.lifetime import expiry_reason
from vestibule.sessions.session import Session
from vestibule.web.i18n import N_, gettext, language, ngettext
from vestibule.web.routes import ACTIVITY, pages
from vestibule.web.templating import page

#: Names of programs that are translated.
_TRANSLATED_PROGRAMS = {"an Android app": N_("Android app")}


def device_label(user_agent: str | None) -> str:
    """Return a label such as "Firefox on Linux" for a user agent."""
    program, system = parse_user_agent(user_agent)
    if program is None:
        program = gettext("Unknown program")
    elif program in _TRANSLATED_PROGRAMS:
        program = gettext(_TRANSLATED_PROGRAMS[program])
    if system is None:
        return program
    return gettext("%(program)s on %(system)s") % {
        "program": program,
        "system": system,
    }


#: Events per page.
MAX_EVENTS_SHOWN = 25
_EVENT_ID = re.compile(r"[0-9]{1,18}")
#: Events that are marked for the reader to check.
ALARMING = frozenset(
    {
        EventType.LOGIN_FAILED,
        EventType.THROTTLED,
        EventType.CODE_REFUSED,
        EventType.SECOND_FACTOR_REFUSED,
        EventType.FACTOR_SWITCHED_OFF,
        EventType.PASSKEY_REFUSED,
        EventType.RECOVERY_CODE_USED,
    }
)

#: The label of each kind of event.
_EVENT_LABELS: dict[str, str] = {
    EventType.LOGIN: N_("Signed in"),
    EventType.LOGIN_FAILED: N_("A wrong password was entered"),
    EventType.LOGIN_DISABLED: N_(
        "Sign-in refused because the account is disabled"
    ),
    EventType.THROTTLED: N_("Too many failed attempts"),
    EventType.REAUTHENTICATED: N_("Password confirmed"),
    EventType.LOGOUT: N_("Signed out"),
    EventType.SESSION_REVOKED: N_("A session was signed out"),
    EventType.SESSIONS_REVOKED: N_("Sessions were signed out"),
    EventType.USER_ADDED: N_("Account created"),
    EventType.USER_REMOVED: N_("The account was deleted"),
    EventType.USER_DISABLED: N_("The account was disabled"),
    EventType.USER_ENABLED: N_("The account was enabled again"),
    EventType.ROLE_CHANGED: N_("The role was changed"),
    EventType.EMAIL_CHANGED: N_("The email was changed"),
    EventType.EMAIL_REFUSED: N_("An email that is taken was refused"),
    EventType.PASSWORD_CHANGED: N_("The password was changed"),
    EventType.USER_UNLOCKED: N_("Sign-in was unblocked"),
    EventType.RESET_CODE_ISSUED: N_("A reset code was issued"),
    EventType.RESET_REQUESTED: N_("An email to set a new password was sent"),
    EventType.EMAIL_CONFIRMED: N_("The email was confirmed"),
    EventType.PASSWORD_RESET: N_("The password was set with a code"),
    EventType.INVITATION_REVOKED: N_("The invitation was revoked"),
    EventType.MAIL_RETRIED: N_("An email was sent again"),
    EventType.MAIL_DROPPED: N_("A queued email was dropped"),
    EventType.WORKER_EXITED: N_("A worker process ended unexpectedly"),
    EventType.SESSION_REFUSED: N_("A session that had ended was refused"),
    EventType.CROSS_SITE_REFUSED: N_(
        "A request from another site was refused"
    ),
    EventType.ACCESS_DENIED: N_("A request was not permitted"),
    EventType.CODE_REFUSED: N_("A wrong code was entered"),
    EventType.SECOND_FACTOR_REQUIRED: N_("A second factor was asked for"),
    EventType.SECOND_FACTOR_REFUSED: N_("A second factor was wrong"),
    EventType.FACTOR_ADDED: N_("A second factor was added"),
    EventType.FACTOR_REMOVED: N_("A second factor was removed"),
    EventType.FACTOR_RENAMED: N_("A second factor was renamed"),
    EventType.FACTOR_RESET_ISSUED: N_(
        "A link to remove all second factors was created"
    ),
    EventType.FACTORS_RESET: N_("All second factors were removed"),
    EventType.FACTOR_SWITCHED_OFF: N_(
        "A second factor was switched off after many wrong codes"
    ),
    EventType.PASSKEY_REFUSED: N_("A passkey was refused"),
    EventType.BROWSER_TRUSTED: N_("A browser was trusted for 30 days"),
    EventType.RECOVERY_CODE_USED: N_("A recovery code was used"),
    EventType.RECOVERY_CODES_REPLACED: N_("New recovery codes were made"),
}


#: The proofs of a session by their names in `SessionFacts.methods`.
_METHOD_LABELS: dict[str, str] = {
    PasswordProof.method: N_("password"),
    TotpProof.method: N_("code"),
    PasskeyProof.method: N_("passkey"),
    TrustedBrowserProof.method: N_("trusted browser"),
}
_FACTOR_LABELS: dict[str, str] = {
    TOTP: N_("Authenticator app"),
    PASSKEY: N_("Passkey"),
}


@pages.get(ACTIVITY)
def show_activity() -> Response:
    """Show the events of the account, newest first."""
    auth, user = current_mechanism_and_user()
    cursor = current_request().args.get("before", "")
    before = int(cursor) if _EVENT_ID.fullmatch(cursor) else None
    found = find_events(EventFilter(user_id=user.id), MAX_EVENTS_SHOWN, before)
    session = current_request().session
    current = None if session is None else session.id
    return page(
        "activity.html",
        events=found.events,
        current=current,
        others=_live_sessions(auth, user, found.events) - {current},
        next=found.next,
        is_first=before is None,
        days_kept=settings.EVENTS_KEPT.read(),
        describe_event=describe_event,
        device_label=device_label,
        alarming=ALARMING,
    )


def _live_sessions(
    auth: SessionMechanism, user: User, shown: Iterable[Event]
) -> set[str | None]:
    """Return the handles of the user's live sessions that began in events."""
    limits, now = auth.limits(), auth.now()
    handles = {
        event.handle
        for event in shown
        if event.kind == EventType.LOGIN and event.handle is not None
    }
    found = filter(None, map(auth.store.find_by_handle, handles))
    return {
        one.id
        for one in found
        if one.user_id == user.id and expiry_reason(one, limits, now) is None
    }


def sign_in_label(session: Session) -> str:
    """Return how a session signed in, as "password and code · level 2".

    Empty for a session without facts, such as that of a script.
    """
    facts = facts_of_session(session)
    names = [
        gettext(_METHOD_LABELS.get(method, method)) for method in facts.methods
    ]
    if facts.recovered:
        names.append(gettext("recovery code"))
    if not names:
        return ""
    joined = format_list(names, locale=language())
    level = gettext("level %(number)s") % {"number": level_of(facts)}
    return f"{joined} · {level}"


def factor_label(kind: str) -> str:
    """Return what people call a kind of second factor."""
    label = _FACTOR_LABELS.get(kind)
    return kind if label is None else gettext(label)


def event_label(kind: str) -> str:
    """Return the label of a kind of event."""
    label = _EVENT_LABELS.get(kind)
    return kind if label is None else gettext(label)


def describe_event(event: Event) -> str:
    """Return the label of an event, with its count if it has one."""
    if event.kind == EventType.SESSIONS_REVOKED:
        number = event.count or 0
        return ngettext(
            "%(number)s session was signed out",
            "%(number)s sessions were signed out",
            number,
        ) % {"number": number}
    return event_label(event.kind)

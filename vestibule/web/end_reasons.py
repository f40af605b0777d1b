#!/usr/bin/env python3
"""The sentences that say why a session ended."""

from vestibule.sessions.session import EndReason
from vestibule.web.i18n import N_, gettext

#: Why a session ended, for the browser that still has its cookie.
_ENDINGS: dict[EndReason | None, str] = {
    EndReason.EXPIRED: N_("Your session has expired. Please sign in again."),
    EndReason.IDLE_TIMEOUT: N_(
        "You were away for a while, so you were signed out."
    ),
    EndReason.CLOCK_CHANGED: N_(
        "The server's clock was changed, which ended your session."
    ),
    EndReason.LOGGED_OUT: N_("You have signed out."),
    EndReason.REPLACED: N_(
        "You signed in again in this browser, which ended this session."
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
    EndReason.FACTORS_RESET: N_(
        "Your second factors were removed, which signed you out everywhere."
    ),
    EndReason.PASSWORD_RESET: N_(
        "Your password was reset, which ended this session. Sign in with"
        " the new one."
    ),
    EndReason.USER_DISABLED: N_(
        "Your account is disabled. Your administrator can tell you more."
    ),
    EndReason.USER_REMOVED: N_("This account no longer exists."),
}
_ANY_ENDING = N_("Your session has ended. Please sign in again.")


def end_reason_message(reason: EndReason | None) -> str:
    """Return the sentence that says why a session ended."""
    return gettext(_ENDINGS.get(reason, _ANY_ENDING))

#!/usr/bin/env python3
"""Why sessions end, in words that programs may compare."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a session ended; the value is what its owner is told."""

    EXPIRED = "expired"
    IDLE_TIMEOUT = "idle_timeout"
    CLOCK_CHANGED = "clock_changed"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    ROTATED = "rotated"
    TOO_MANY_SESSIONS = "too_many_sessions"
    REVOKED = "revoked"
    REVOKED_BY_ADMIN = "revoked_by_admin"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    USER_DISABLED = "user_disabled"
    USER_REMOVED = "user_removed"

#!/usr/bin/env python3
"""Whether somebody proved who they are a short time ago: one pure rule.

It is asked before what a thief of an open session would do first
(OWASP ASVS 5.0, 7.5.1 and 7.5.3).
"""

from datetime import datetime, timedelta


def is_recent(
    authenticated_at: datetime | None, window: timedelta, now: datetime
) -> bool:
    """Tell whether the proof at `authenticated_at` still counts at `now`.
    """
    return authenticated_at is not None and (
        now - authenticated_at <= window
    )

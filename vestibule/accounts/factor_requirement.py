#!/usr/bin/env python3
"""The second factor that `REQUIRE_MFA` asks for, and until when.

The days of `MFA_GRACE` begin with the first request of a session at which
the requirement meets the user; that moment is stored. Afterwards a session
needs level 2: with level 1 it can only set up a factor, give one, or end.
"""

from datetime import datetime, timedelta
from typing import Any

from vestibule.core.access_settings import MFA_GRACE, is_factor_required
from vestibule.db import factors, user_status
from vestibule.sessions.facts import facts_of_session, level_of
from vestibule.sessions.session import Session


def factor_deadline(
    user: Any, session: Session, now: datetime
) -> datetime | None:
    """Return when a session of `user` needs level 2; `None` if it does not.

    The first call for a user stores `now` as the begin of `MFA_GRACE`.
    Users of an application's own mechanism have no such moment, so the time
    of their session's begin counts.
    """
    if not is_factor_required(getattr(user, "role", None)):
        return None
    if level_of(facts_of_session(session)) > 1:
        return None
    since = getattr(user, "factor_required_at", None)
    if since is None:
        since = user_status.begin_factor_requirement(user.id, now)
    if since is None:
        since = session.created_at or now
    return since + timedelta(days=MFA_GRACE.read())


def is_factor_due(user: Any, now: datetime) -> bool:
    """Return True if a session of `user` with level 1 counts nowhere now.

    Nothing is stored: `MFA_GRACE` may begin with the user's next request.
    """
    if not is_factor_required(getattr(user, "role", None)):
        return False
    since: datetime = getattr(user, "factor_required_at", None) or now
    return since + timedelta(days=MFA_GRACE.read()) <= now


def deadline_to_show(user: Any) -> datetime | None:
    """Return until when a user without a factor has to set one up.

    `None` if no factor is required, or if the user has one.
    """
    since = getattr(user, "factor_required_at", None)
    if since is None or not is_factor_required(user.role):
        return None
    if factors.has_any(user.id):
        return None
    due: datetime = since + timedelta(days=MFA_GRACE.read())
    return due

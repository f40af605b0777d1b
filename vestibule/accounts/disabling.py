#!/usr/bin/env python3
"""How a user is kept out without losing the account.

Its law: who is disabled has no session and begins none. Sessions end in
the database with the change itself, and in the memory of this process
after it.
"""

from datetime import datetime
from typing import Any

from models import standing
from models.user import User
from vestibule import clock
from vestibule.observe.security import Event, log
from vestibule.sessions.reasons import Reason
from vestibule.sessions.store import SessionStore


def is_disabled(principal: Any) -> bool:
    """Tell whether a user is kept out.

    A mechanism of somebody's own may know users of another kind: they
    cannot be disabled here.
    """
    return isinstance(getattr(principal, "disabled_at", None), datetime)


def disable(
    user: User, store: SessionStore | None = None, by: str | None = None
) -> None:
    """Keep `user` out from now on, and end the sessions, also of `store`.

    `by` is who does it, for the log. Raise `LastAdmin` or `NotStored`.
    """
    standing.disable(user.id, clock.now(), Reason.USER_DISABLED)
    log(Event.USER_DISABLED, user=user.id, by=by)
    if store is not None:
        store.end_all(Reason.USER_DISABLED, user.id)


def enable(
    user: User, store: SessionStore | None = None, by: str | None = None
) -> None:
    """Let `user` in again, by a new login; raise `NotStored`.

    `by` is who does it, for the log.
    """
    # A login under way while the user was disabled may have left one.
    if store is not None:
        store.end_all(Reason.USER_DISABLED, user.id)
    standing.enable(user.id, Reason.USER_DISABLED)
    log(Event.USER_ENABLED, user=user.id, by=by)

#!/usr/bin/env python3
"""How an account ends."""

from models import standing
from models.user import User
from vestibule.observe.security import Event, log
from vestibule.sessions.reasons import Reason
from vestibule.sessions.store import SessionStore


def remove(
    user: User, store: SessionStore | None = None, by: str | None = None
) -> None:
    """Delete `user` with all that belongs to it, and its sessions.

    Those of the database go in the same transaction, those of `store`
    after it. `by` is who does it, for the log. Raise `LastAdmin` if
    nobody would be left to manage the others.
    """
    standing.remove(user)
    log(Event.USER_REMOVED, user=user.id, by=by)
    if store is not None:
        store.end_all(Reason.USER_REMOVED, user.id)

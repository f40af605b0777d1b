#!/usr/bin/env python3
"""How a user becomes an admin, or a member again."""

from typing import Any

from models import standing
from models.role import role_of
from models.user import User
from vestibule.observe.security import Event, log


def set_role(user: User, role: Any, by: str | None = None) -> None:
    """Give `user` the role of this name; `by` is who does it, for the log.

    Raise `InvalidValue` if there is no such role, `LastAdmin` if nobody
    would be left to manage the others, `NotStored` if the user is gone.
    """
    known = role_of(role)
    standing.set_role(user.id, known)
    user.role = known.value
    log(Event.ROLE_CHANGED, user=user.id, by=by, reason=known.value)

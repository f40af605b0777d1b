#!/usr/bin/env python3
"""How a user becomes an admin, or a member again."""

from typing import Any

from models import standing
from models.role import role_of
from models.user import User


def set_role(user: User, role: Any) -> None:
    """Give `user` the role of this name.

    Raise `InvalidValue` if there is no such role, `LastAdmin` if nobody
    would be left to manage the others, `NotStored` if the user is gone.
    """
    known = role_of(role)
    standing.set_role(user.id, known)
    user.role = known.value

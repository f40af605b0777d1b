#!/usr/bin/env python3
"""What kinds of users there are."""

from enum import StrEnum
from typing import Any

from vestibule.errors import InvalidValue


class Role(StrEnum):
    """What a user is; what that allows, the policy says."""

    MEMBER = "member"
    ADMIN = "admin"


def role_of(value: Any) -> Role:
    """Return the role that `value` names; raise `InvalidValue` for none.

    Every role that is stored passes here.
    """
    for role in Role:
        if value == role:
            return role
    raise InvalidValue("role", f"must be one of {', '.join(Role)}")

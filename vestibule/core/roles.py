#!/usr/bin/env python3
"""The roles that a user can have."""

from enum import StrEnum


class Role(StrEnum):
    """The role of a user; `accounts.permissions` says what it allows."""

    MEMBER = "member"
    ADMIN = "admin"

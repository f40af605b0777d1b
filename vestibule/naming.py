#!/usr/bin/env python3
"""What somebody is called where people read it."""


def display_name(
    first_name: str | None, last_name: str | None, email: str | None
) -> str:
    """Return the names, or the one there is, or the email, or ""."""
    names = [name for name in (first_name, last_name) if name]
    return " ".join(names) or email or ""

#!/usr/bin/env python3
"""Which user an argument of the command line means."""

from models.user import User
from vestibule.cli.failure import Failure
from vestibule.cli.store import require_database
from vestibule.invocation import spelled
from vestibule.observe.printable import printable


def named_user(email_or_id: str) -> User:
    """Return the user with this id or email.

    Scripts may give any text as an email, even the id of somebody else;
    an argument that means two users is refused, not guessed at.
    """
    require_database()
    by_id = User.get(email_or_id)
    found = {by_id} if by_id else set()
    found.update(User.search({"email": email_or_id}))
    shown = printable(email_or_id)
    if not found:
        raise Failure(
            f"there is no user with the email or id {shown}; see:"
            f" {spelled('users list')}"
        )
    if len(found) > 1:
        raise Failure(f"{shown} is the id of one user and another's email")
    return found.pop()

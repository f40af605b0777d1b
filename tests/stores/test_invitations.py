#!/usr/bin/env python3
"""Invitations on every database: a user and a code, or neither."""

import pytest
from sqlalchemy import text

from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import set_forgotten_password
from vestibule.accounts.users import invite
from vestibule.core.errors import DatabaseUnavailable, DuplicateEmail
from vestibule.db.engine import database
from vestibule.db.models.user import User

EMAIL = "bob@example.com"

pytestmark = pytest.mark.usefixtures("any_database")


def _rename(column: str, name: str) -> None:
    """Rename a column of reset codes, so that no code can be written."""
    with database().transaction() as connection:
        connection.execute(
            text(f"ALTER TABLE reset_codes RENAME COLUMN {column} TO {name}")
        )


def test_failed_invitation_leaves_no_user() -> None:
    """A failure in the middle stores nothing and keeps the email free."""
    _rename("created_at", "made_at")
    with pytest.raises(DatabaseUnavailable, match="created_at"):
        invite(EMAIL, "Bob", "Dylan")
    assert User.count() == 0
    _rename("made_at", "created_at")
    invited = invite(EMAIL, "Bob", "Dylan")
    set_forgotten_password(
        EMAIL, invited.code.code, "violet umbrella", actor=LOCAL
    )
    stored = User.get(invited.user.id)
    assert stored is not None
    assert stored.display_name() == "Bob Dylan"
    assert stored.is_valid_password("violet umbrella")


def test_taken_email_is_not_invited_again() -> None:
    """The second invitation is refused; the code of the first works."""
    invited = invite(EMAIL)
    with pytest.raises(DuplicateEmail):
        invite(EMAIL.upper())
    set_forgotten_password(
        EMAIL, invited.code.code, "violet umbrella", actor=LOCAL
    )
    assert User.count() == 1

#!/usr/bin/env python3
"""Let the list of mails be sorted by kind, attempts and error.

With a million mails, each of these orders sorted the whole table.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COLUMNS = ("kind", "tries", "error")


def upgrade() -> None:
    """Create an index for each order."""
    for column in COLUMNS:
        op.create_index(
            f"outgoing_mails_{column}",
            "outgoing_mails",
            [column, "created_at", "id"],
        )

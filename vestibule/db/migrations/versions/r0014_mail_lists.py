#!/usr/bin/env python3
"""Let the list of mails, their counts and their purge use indexes.

With a million mails, each of them read the whole table.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create an index by time, and one that has all that is counted."""
    op.create_index(
        "outgoing_mails_created_at", "outgoing_mails", ["created_at", "id"]
    )
    op.create_index(
        "outgoing_mails_counts",
        "outgoing_mails",
        ["state", "kind", "created_at"],
    )

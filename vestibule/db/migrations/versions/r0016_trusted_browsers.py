#!/usr/bin/env python3
"""Add the browsers in which a user need not give the second factor."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "trusted_browsers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("cookie_digest", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("binding", sa.Text, nullable=False),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("ip", sa.Text),
        sa.Column("user_agent", sa.Text),
    )
    op.create_index(
        "trusted_browsers_user_id", "trusted_browsers", ["user_id"]
    )
    op.create_index(
        "trusted_browsers_created_at", "trusted_browsers", ["created_at"]
    )

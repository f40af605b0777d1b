#!/usr/bin/env python3
"""Add events and setup codes; index sessions by user and age."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import RowNumber, UTCMoment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, and add a column to an index."""
    op.create_table(
        "events",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("by_id", sa.Text),
        sa.Column("ip", sa.Text),
        sa.Column("network", sa.Text),
        sa.Column("user_agent", sa.Text),
        sa.Column("handle", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("count", sa.Integer),
        sa.Column("times", sa.Integer, nullable=False, server_default="1"),
    )
    for column in ("user_id", "kind", "network"):
        op.create_index(f"events_{column}", "events", [column, "id"])
    op.create_table(
        "setup_codes",
        sa.Column("code_digest", sa.Text, primary_key=True),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
    op.drop_index("user_sessions_user_id", "user_sessions")
    op.create_index(
        "user_sessions_user_id", "user_sessions", ["user_id", "created_at"]
    )
